"""The commands, a file each. They import what they run when they run it."""
