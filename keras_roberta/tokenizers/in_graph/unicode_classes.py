"""The classes of code points in GPT-2's regular expression: other, letter, number, white space.

The classes are those of Unicode 16.0, as in the Oniguruma library that `tokenizers` uses. Python's
`unicodedata` is not used, since its Unicode version changes with each release. Letters are the
general categories L*, numbers are N*, and white space is the property White_Space.
"""

import base64
import re
import zlib

import numpy as np
import tensorflow as tf

from keras_roberta.tokenizers.in_graph.vectors import look_up

UNICODE_VERSION = "16.0.0"
OTHER, LETTER, NUMBER, SPACE = range(4)
BLOCK = 256

# The runs of code points of one class, in order from U+0000: a letter for the class (O, L, N, S)
# and the length of the run in hexadecimal: "O9 S5 O12 S1 Of Na O7 L1a ...". Compressed with zlib,
# in base 85. The tests compare every code point with the library.
_RUNS = (
    "c-oa%*|nrP3`~U(u)JV$=)?WE5wPYT!jn{zG2K1$&it?#Th>}C^D_^>dH4x5{D$G@8kTkVnTA*3TfuGBF9Eli$7I4nJf"
    "zQYSnv>rC1P;G?ZRzm8EJU!!_PUqGNk+B8gz)SERTj)@(;x)MIVtXK4*;8jn@yawP1Zw0a!{iZz=n1x-~DOgGc!-WVJB"
    "qhP<pa`Iin&a^)GaFT{nhZGZBO<z$w=>ENkT34S3J%g>pw#b0J~lFAU3X5D1Nv<fBoDkiXEQMN8^0hzmBs<UV=dW<T(s"
    ")q1efD@)WC}MQ%4LIE7Xri!mX@0A!Nct+0-mX^{s!8=Cgo^i?`?!4y$#2G8<~b1pXKjD6?On$CZWWXgt2U1t+zEx?73z"
    "|Td<1i%W@@nf<7_#gY3;3=S{zJ`K4GXcs18euN%|^eeKY9l+}sQzBuMXBN%2R5X8Xb$nlnOl^Ci__p=I3cN)a53x|coT"
    "=sWKEX-0IXr_)fgCM<M@kOz_4q$UG}IJ%vSl=JRRA<3r=01>TLwSpEPQSnNSp5UlfHT89<B!Cd+Q}Nw%i^^swa(F6GS2"
    "Asc=Kdx8buJ(-_A63UTnMJ>hyZ1j8B&qTj^G8sR0Ua9GHnW`Q9UvtVqCOA<>}k0h9U(xPoiuXJ+}bGYP`m>xF<3YC&M1"
    "<+>(l*y8<<76)VIcavTcUAs8}QJIY8~j&KxlTesf<p@K3OGO4;kG(+&=*eZghWHjcx&e7sqY>XTqC1L;;k&zl$dcDGoU"
    "GPxSDl{ikYY4dZiTb!+*dTwvXY`Tifi0eC`SJC4)2{GK@<Cc8+y9HQT)f5>t3eM53n{q^9C`U*@7(pj@XWcOu0bhfota"
    "wm)tXo&FbBsZO7tWV#RC%$NC*;V-s^<?28FXI>Mnb$nOIxH9$WCI&RhR`%~tTosBY2zBKvV8T)NC$qIXa!mEtbWt6QF1"
    "0q0XQD{1nQfbfVy<7Z8Mwps(eTy0G9Tk=x#WcG~7rE(~eY>mVZ<Kbm%9a2C@GkR><l1jrwfN+^w<<k=<tM(9}K-Yo{{t"
    "r!z6_w1z9jVnrs16q4?t5CHJ8E`P5573_l(SsA^3Jeqm@G?jYZzg2C8~Fq0$B}JV@K?)0q53faIN0#Hb>yy>#SYhvcw{"
    "H>VAyxV!Gk<wxSJ)7VPUNc^5{>>VlXQ@pVy2yDF2PE$8Sv(g#~ns8uGip^>K%i7l#DZT3_0<yEweUpVjv7>yrx8af$kz"
    "~lhXZYm&a#2D!zo0zeXcC1A^M^H9>B}6mA2MQmcuad$EeKjejR4t&4g1u2&pwmf)!T^7o^^^M=6Z}?{^F_FSb5-A{*4O"
    "damW2pN2+*Xq%r!m>u931k%L24NL7WhNlDhS$3H4SLCA7kuPqUaOTP~$_s8j$}Nt~$=qj6s7be5TV@^y&1i<Jbw`FZBh"
    "LyV9VYZ<#XxC{V@=I_#UjjByWe`Z;WAzl)tr8qR#^)`vR>iqrgo4UblaKIYbp@}SDwk^xrpxo+IJt)Inj5W#bYH0@HOp"
    "v%+Yg>W-?U-f9fy3z7>?D4MewUw-LU%Tx=+WB25>IvM<~ljaRpw(V1qcsDu&)ma)lzG{VGJ1dFNXkfwK7fwYsYRwJ004"
    "-bEhr2gS??GYisYPapBY<desSQfu_buDBUxIIYa?VK=0^|NCm!8oVKGV7#3T#&8P~&qBMfL@9u)oaTsdM`|1oi5wX&oH"
    "a!lm-W;@H-W@&raZ9>ixSc7<yH6m$mxBj5E@hBAd<kGfl3UaGc2+EHgSq4I_jhDab54i_<<!gquG8HUb7}j6eKPSD!GZ"
    "(EId>riN!pRsyavWtBfI#TjaVkpb={1a27}05q87nQP>H5_>R)UHf<9^vSkrE&J?m1EN85->LtBv@G`>8s%pm>71W8R6"
    "T0)PgO&5SV9R)cj=|$({1=M>z(CxvaJCmYT1vaYSjkMQ-ozZb-|H%->40e<E;wLn{6}j`YDufN)GEGlNq32(my(@LhO#"
    "RWR_LO_?03mk-#NCM{VZI^d{=f9EZxwV?j*p{}I?K&bN}q!}6GFDC0@R^lNa2n@&PN*fqreEf9;Nl<V2m_3A3TYH_zC>"
    "ix?D<Lo{$x#sl@I6y(W;Kj6s0n?)Q(gt<QxH|JI&)KL4?$ZzqlT2RVPb_A~peOdtCiHg`WPJm9jLt(PAz>xpVfW04<x="
    "V*;;jCOu9=a!07aX6y=NfORDuX=Fjr+mt+=tVXb7IYkY9{&T|qofW"
)


def code_point_classes() -> np.ndarray:
    """The class of every code point: uint8 (0x110000,)."""
    runs = zlib.decompress(base64.b85decode(_RUNS)).decode()
    classes, lengths = zip(*re.findall("([OLNS])([0-9a-f]+)", runs), strict=True)
    return np.repeat(
        np.array(["OLNS".index(name) for name in classes], np.uint8),
        [int(length, 16) for length in lengths],
    )


class CodePointClasses(tf.Module):
    """Looks up the class of a code point in a table with two levels.

    The code points are divided into blocks of 256. Equal blocks are stored once, and there are 133
    different ones.

        class = blocks[index[code_point // 256] + code_point % 256]

    Attributes:
        nbytes: int, size of the table in bytes.
    """

    def __init__(self, name: str = "code_point_classes"):
        super().__init__(name=name)
        rows = code_point_classes().reshape(-1, BLOCK)
        blocks, index = np.unique(rows, axis=0, return_inverse=True)
        with tf.init_scope(), tf.device("CPU"):
            self.blocks = tf.constant(blocks.reshape(-1).astype(np.int8))  # (133 * 256,)
            self.index = tf.constant(index.reshape(-1).astype(np.int32) * BLOCK)  # (0x1100,)
        self.nbytes = blocks.size + 4 * index.size

    def __call__(self, code_points: tf.Tensor) -> tf.Tensor:
        """The classes of code points.

        Args:
            code_points: int32 [n], below 0x110000.

        Returns:
            int32 [n]: OTHER, LETTER, NUMBER or SPACE
        """
        block = code_points // BLOCK
        offset = code_points - block * BLOCK
        return tf.cast(look_up(self.blocks, look_up(self.index, block) + offset), tf.int32)
