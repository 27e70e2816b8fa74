"""The classes of code points in GPT-2's regular expression: other, letter, number, white space.

The classes are those of Unicode 16.0, as in the Oniguruma library that `tokenizers` uses. Python's
`unicodedata` is not used, since its Unicode version changes with each release. Letters are the
general categories L*, numbers are N*, and white space is the property White_Space.

Beside these classes it is told which characters may be part of a word, by the `\\w` of Rust's
regular expressions (letters, marks, decimal digits, connecting signs): what an added token that is
a `single_word` must not touch.
"""

import base64
import re
import zlib

import numpy as np
import tensorflow as tf

from keras_roberta.tokenizers.in_graph.vectors import look_up, narrow

UNICODE_VERSION = "16.0.0"
OTHER, LETTER, NUMBER, SPACE = range(4)
BLOCK = 256

# The runs of code points of one class, in order from U+0000: a letter for the class and the length
# of the run in hexadecimal: "O9 S5 O12 S1 Of na O7 L1a ...". O, L, N and S are the classes; o and n
# are others and numbers that may be part of a word, as every letter may. Compressed with zlib, in
# base 85. The tests compare every code point with the library.
_RUNS = (
    "c-"
    "oa%$+hD+3`|8Kh^wR={Om(Vpv^}s|Jwjn07dujo;P!mY?2~CEQJDJ%kZlVuMme{VR*fV&pN!O;SuDOhf9V6|E!n~d@VAj%"
    "bt<*!z&F>{s_Y}ad6`6&DV|%AN%k+hex3d|2Tx<nnn!Efb1EENA}6;3sYMzPfiz(&6~b1*>bJiqGAtz9hc!X4_7>}2;X0^"
    "dj_3;gbn)XzQ=IMpCVswGFxDhta{1PM|CwsoXEH;Cb$z8$!b-V;=_og`oSr$4dZ1|0XltRb(9qg&Ydv|LD-;TPfp7-"
    ";Yn{j!lDEE36%{q6stI_Znw%dGta5ktNuMcrnR6rRK}S`?5GBX_~=UL&~$rRjYMNKD_|-2SMk9NMz=K~-"
    "0|6*6YQWSwfa}TOO4;p=w2*{QI{>6U5Ls%b|#f73m%->T+-49)K5vJJ0C5W{7J>%?sVFY-l_M>zZ>wUfNuke%I4J{*5jGf"
    "daHeFMoWH_jNh@#ljtK{laPQJmP>xBeCNvLF{wFx=(5M$n`-hn`BFc0J581gcM8OBTg}7ML+Q5F?-"
    "JHOS?Q;kdI!aql^7s9lBajIAi)*?u$`(|EJ#GV-ssQ8t=#ktG^gd;;?|CEakAjIXkeVqs;cTnJr9vE;$RV)6#bHchDFo24"
    "~dE<E|`7n>%~QvdzOczIHc;x3AdS^YVEXZPvnxhBWB`%HlP#%7g1Jc7OYQ;K_o1w0;^i;0*o5iBs-"
    "+qRK_Kyc0)wXOom>pu6$_`vl+}E9@w#ipf(bh{!jSVwX8#_{~{;Px<$$tvqytlQM(YOm|n5&4CkQb5A{$~&6`es5^OdhFs"
    "@8AU~+97iyDiM;|@d{Now$sQVsiwhcqRe)S|Q*SgMB#EAUG61c5$)2CKLi6Mfeqg<h#Y7AK-r+$nGMcu=tg=|@m~B-"
    "!7B<ghgS_-YMc!+8;v0K|{@mcPvA#5_dV(kx7@euq~_k$#=9K(r8>@dYpn3+SF!gkO<{8=El-LJWy%nULHHyR6C@@}YS!H"
    "b%f_pGsfPH${~n6)*XSS3fIOhXF^M{k1h_Ayg^qG<g+<hz>@jMyE_HiHQ9teJtCigu1O}Y|)`|*G{X_v7_)E@B!u{02Hju"
    "PR~T}Cn7IDnVvr+*wPM_ucTvYrbz}hXtKoq<D{r;35|UDTkfXW+1;DLIUy&e&Zz(4iOi6og3`wblaXKPz%qOm!&sJyPjUj"
    "q#3g{6XUghkDGgf63DTO8GRVTwD%;4+JBKIY<oRx6g3S6aAiNd{v{wdF%;K-"
    "C3NXjQcsP_8=~0B#1R<KP9&DPyxf(}70xpcLse`AlTA&&gGPPg@%Mzib?nO3EED&#M2C5|@m><yqrM{tCxQix`Vn;EG-"
    "19)92At@!W1JxIHzGj+!c1v}_Jr4|;@s8e%7|#?A+;KxtdJYFg~oDbrxP2_7`;NTp3v?2Tb!A%Pe`4Tv$<ZExUHE-oCtgx"
    "#9`EIsdQ&m&sS`@<AB9=qa%;LO8?-"
    "is2re~8+m&kc>>jWc0OiR2XCHD4h_E9+M;;^fc&jL+gKUW50fwpBB`G(4k%H#lEghdu9nVC5BiMo{71l0lSE)ho4v{UrRX"
    "66dm+!C)<J2mSQX5gtm6C+;X#aenfYj0k_^J}M;$8;UC!P)T;Q)6of>2MvAO2IaqB;hr}kM$grmR&nHgTzHm*+Ta&g<4NB"
    "3^0;K`xLJ-"
    "1&I3&;%42sCLX78@3beAZTYCGi23Sq&?To}|^!c;4Lj!nap;NH+p{IBh`$fTB(q_I~^Tf!ElvQU?rBQHAU#8C9t53<+A!q"
    "_?u2vh*S=vmQqITOx5qi}Ivzu2#CMBZo$BX;l7DYVq!Dd$ooHT3~As@IwLiVXb&ou8FAI8mrRS5a>hmkiDn?Kg2+9jeliu"
    "pT>;ox`mj<j($Sy9%!A}8ot;R>rqZ8&E#Rxm5Hf!<4xkI%O7OOPLMxqSA#R@<Yv}nv%Xu0W$j5if3VaRx6E;c+FjjZn&$u"
    "5T86I6>08Ub%PWSmFSa1`+SbvFJM_K6UrX1q2k*ql{u)*v1h0dB2~I#h4p#`_(;A@M6*tDwT6t`0Zh>t*ezdQGC*j5>r?L"
    "w<?v7u>5uMA<d!2{~L3BJx5@i2vArqCES^&$|?(J^l(2>RHO_()yv|PSVPEP-"
    "^#5N~Qev<CC3#P;M&$R;6ILTb{%P3qB#nTG{K8{SrePXNgc93L8BkaMd+ictmygqe!dof%z)bsM&-"
    "Acv5()az?<oeEcch`M0TB_UX(m5cc$}Wh_Vyot?m9Y=H!;<z@iYfjKS_?L9)>NuEv%X1$ccp7t98`G;latp?bOLXH+Iz9a"
    "A?pcO^)oKttg7r9FNsYQvB}Ps`#)weCWVF_t44Mwhjxu&6;0!M8-"
    "X>}0I8s?BwrTRh3#T)TxS9vv4v0;8N2Y<U{b9E)0;IfABxlq@-xP>-Es9k3<6azC(PXi453P+Viq)6l-"
    "g8Uh!vcsSR3&ei`^cKV$x`lqhYL8<i!y$8D~ciolr+--"
    "e3`ml|$&O>RYd1wP|H($WwRG8#+AWq4o|Hxia^S{M>hEdxxE+YmMAFcDc1U3insi|M%a_MnhE{N4ii?96fPQW>59BP|VR1"
    "s=F|Ej^bBOAvELN`Ga2a1Yg8WW(z0H#L0P)HFDW6m6;k5*IfwBqq5@j@4;wh4r2Z+&92`ZP;C!>Eiee+(x}ajUfeDzH%Qx"
    "k(XVwn8((C%wBOhFTOXfYQCU0j;rpgP|EZ%*f7$16&wgc}Dfx$7D|n%6<Vzcha{A{1_Iw3vo9@?Ic^#4^Q66hON4skqlXd"
    "ad4%XSS`ABwmtewTO;?7Ebl~Y%xZ1?zMm5tWpkkGl_XoAl${sSWO*c$"
)


def code_point_classes() -> np.ndarray:
    """The class of every code point: uint8 (0x110000,)."""
    return _of_runs({"O": OTHER, "o": OTHER, "L": LETTER, "N": NUMBER, "n": NUMBER, "S": SPACE})


def word_characters() -> np.ndarray:
    """Which code points may be part of a word: uint8 (0x110000,), 1 or 0."""
    return _of_runs({"O": 0, "o": 1, "L": 1, "N": 0, "n": 1, "S": 0})


def _of_runs(values: dict[str, int]) -> np.ndarray:
    runs = zlib.decompress(base64.b85decode(_RUNS)).decode()
    letters, lengths = zip(*re.findall("([OoLNnS])([0-9a-f]+)", runs), strict=True)
    return np.repeat(
        np.array([values[letter] for letter in letters], np.uint8),
        [int(length, 16) for length in lengths],
    )


class CodePointTable(tf.Module):
    """Looks up a value for a code point, such as its class, in a table with two levels.

    The code points are divided into blocks of `BLOCK`. Equal blocks, as most are, are stored once.

        value = blocks[index[code_point // BLOCK] + code_point % BLOCK]

    Args:
        values: (0x110000,), whole numbers.
        block: size of the blocks.

    Attributes:
        nbytes: int, size of the table in bytes.
    """

    def __init__(self, values: np.ndarray, block: int = BLOCK, name: str = "code_point_table"):
        super().__init__(name=name)
        self.block = block
        known = {}  # each block and its number; quicker than `np.unique` of rows
        rows = np.ascontiguousarray(values).reshape(-1, block)
        index = [known.setdefault(row.tobytes(), len(known)) for row in rows]
        index = np.array(index, np.int32) * block
        blocks = narrow(np.frombuffer(b"".join(known), values.dtype))
        with tf.init_scope(), tf.device("CPU"):
            self.blocks = tf.constant(blocks)  # (different * block,)
            self.index = tf.constant(index)  # (0x110000 // block,)
        self.nbytes = blocks.nbytes + index.nbytes

    def __call__(self, code_points: tf.Tensor) -> tf.Tensor:
        """The values of code points.

        Args:
            code_points: int32 [n], below 0x110000.

        Returns:
            int32 [n]
        """
        block = code_points // self.block
        offset = code_points - block * self.block
        return tf.cast(look_up(self.blocks, look_up(self.index, block) + offset), tf.int32)
