"""Names of operations in exported graphs that more than one file here refers to.

Every layer's operations carry the name of its weights, such as `encoder/block_1/attention/query`:
quantisers such as ai-edge-quantizer choose layers by such names. The table of tokens has two uses,
and so two names.
"""

TOKEN_LOOK_UP = "embeddings/token/look_up"
POSITION_LOOK_UP = "embeddings/position/look_up"
TOKEN_PROJECTION = "embeddings/token/projection"
# Of a vocabulary that the head has a matrix of its own for.
OWN_PROJECTION = "head/output_projection"
