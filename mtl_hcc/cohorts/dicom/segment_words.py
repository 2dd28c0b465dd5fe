"""What a segment's name says, word by word, in several languages: never more than its words say.

A name is understood only if every word of it is: "liver bounding box", "peritumoral" or "liver
segment 4" hold a known word and mean something else. What is not understood stays ``unclear``.
"""

import re
import unicodedata
from typing import Literal

Meaning = Literal["liver", "tumor", "tumor part", "loat", "other", "unclear", "nothing"]
"""What a text says. ``other``: another structure; ``unclear``: words of a region, or several, that
do not add up; ``nothing``: no word that names a structure. ``tumor part``: belongs to the tumor
where one is drawn."""


def _plain(text: str) -> str:
    """Return the text without accents, in small letters."""
    letters = unicodedata.normalize("NFKD", text)
    return "".join(c for c in letters if not unicodedata.combining(c)).casefold()


def _words(text: str) -> frozenset[str]:
    return frozenset(_plain(text).split())


_LIVER = _words(
    "liver livers leber foie higado figado fegato lever maksa watroba watroby jatra karaciger "
    "печень печени hepar 肝 肝脏 肝臟 肝臓 간"
)
_TUMOR = _words(
    "tumor tumors tumour tumours tumoral tumorous tumoros tumorose tumoren tumeur tumeurs tumorale "
    "tumorali tumoraux tumorales tumore tumori tumores gezwel guz nador опухоль svulst kasvain "
    "lesion lesions lesione lesioni lesiones lesao lesoes laesion laesionen lasion lasionen mass "
    "masses masse massa masa hcc hccs chc carcinoma carcinomas carcinome karzinom karzinome "
    "hepatoma neoplasm neoplasms neoplasia neoplasie neoplasme cancer krebs cancro gtv "
    "肿瘤 腫瘤 腫瘍 瘤 肿块 病灶 病变 癌 肝癌 肝细胞癌 肝細胞癌 종양 암"
)
_NECROSIS = _words("necrosis necrotic necrose necrotique nekrose nekrotisch necrosi 坏死")
_OTHER = _words(
    "vein veins vena venas vene venen veine veines veia veias cava ivc artery arteries arterie "
    "arterien arteria arterias artere arteres aorta aorte vessel vessels vasculature vascular "
    "vaisseau vaisseaux vasos vasi gefass gefasse gefasse thrombus thrombi thrombosis thrombose "
    "trombo trombosis pvt pvtt bile biliary duct ducts gallbladder gallenblase vesicule vesicula "
    "spleen milz rate bazo milza kidney kidneys niere nieren rein reins rinon rene reni renal "
    "stomach magen estomac stomaco pancreas pankreas lung lungs lunge heart herz bowel intestine "
    "colon duodenum adrenal bone bones vertebra vertebrae rib ribs spine muscle muscles psoas skin "
    "body trunk abdomen esophagus oesophagus bladder cyst cysts zyste zysten kyste quiste cisti "
    "stent catheter shunt drain clip lymph node nodes ascites "
    "静脉 静脈 门静脉 門脈 动脉 動脈 血管 脾 脾脏 肾 肾脏 胆囊 胃 囊肿 癌栓"
)
_LOAT = _words("loat")
_OMENTUM = _words("omental omentum")
_NOT = _words("non not no without ohne sans sin senza zonder minus excluding excl nicht 非 无")
_FREE = _words("free frei freie freies libre 外")
_WITH = _words("with including incl include includes inkl plus avec con mit and und et y & +")
_JOINTS = _words("the a an of in im on at du de del della dell la le il der die das dem des van l")
_ABOUT = _words(
    "mask masks segmentation seg label labels contour manual automatic auto final corrected edited "
    "volume volumen volumes vol phase arterial portal venous delayed art pv pvp hap ap eap ct mr "
    "mri drawn reviewed region structure anatomical morphologically abnormal unknown undefined "
    "custom object adipose fat"
)
_OF_LIVER = _words(
    "whole total entire complete full gesamt ganze organ parenchyma parenchym parenchyme "
    "parenquima tissue gewebe normal healthy uninvolved unaffected background gesund gesunde sain "
    "sano sana 正常 实质 실질"
)
_HEPATIC = _words("hepatic hepatique hepatico hepatica epatico epatica hepatisch hepatische")
_OF_TUMOR = _HEPATIC | _words(
    "hepatocellular hepatocellulaire hepatocelular epatocellulare hepatozellulares cell target "
    "main primary index largest second third first big small large satellite recurrent "
    "viable active enhancing solid intrahepatic malignant focal multifocal gross roi nodule "
    "nodular left right lobe segment dome caudate anterior posterior lateral medial superior "
    "inferior central i ii iii iv v vi vii viii"
)
_PART_OF_LIVER = _words(
    "left right lobe segment segments couinaud caudate i ii iii iv v vi vii viii links rechts "
    "gauche droit linke rechte lappen 段 叶"
)
_NEARBY = _words(
    "peritumoral peritumor peritumour peritumorale peri bed margin margins rim ring shell box bbox "
    "bounding perfusion map couinaud flr remnant future capsule edema ablation ablated cavity hull "
    "resection resected specimen reader rater observer probable possible prob maybe uncertain ctv "
    "ptv dose sample reference surface center centre point steatosis pseudotumor hemangioma "
    "haemangioma adenoma metastasis metastases fnh benign ? < > % / 瘤周 血管瘤"
)
"""Words that turn a region into something else: they overrule even a code."""
_MARKS = "?<>%/&+"
_KNOWN = frozenset().union(
    _LIVER, _TUMOR, _NECROSIS, _OTHER, _LOAT, _OMENTUM, _NOT, _FREE, _WITH, _JOINTS, _ABOUT,
    _OF_LIVER, _OF_TUMOR, _PART_OF_LIVER, _NEARBY, _words("lesser greater"),
)  # fmt: skip


def words_of(text: str) -> list[str]:
    """Return the words of a name: no accents, compounds and CamelCase taken apart, no numbers.

    Example:
        >>> words_of("LiverTumor_01"), words_of("Lebertumor"), words_of("肝肿瘤")
        (['liver', 'tumor'], ['leber', 'tumor'], ['肝', '肿瘤'])
    """
    text = re.sub(r"\b[wW]\s?/\s?[oO]\b", " without ", text)
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    found = re.findall(rf"[^\W\d_]+|[{re.escape(_MARKS)}]", _plain(text))
    return [part for word in found for part in _parts(word)]


def _parts(word: str) -> list[str]:
    """Take a compound apart if it is made of known words only, longest first."""
    if word in _KNOWN:
        return [word]
    for end in range(len(word) - 1, 0, -1):
        first, rest = word[:end], word[end:]
        if first in _KNOWN and (end > 2 or not first.isascii()):
            parts = _parts(rest)
            if all(part in _KNOWN and (len(part) > 2 or not part.isascii()) for part in parts):
                return [first, *parts]
    return [word]


def read_name(text: str) -> Meaning:
    """Return what a name says.

    Args:
        text: Label, description or the meaning of a code.

    Example:
        >>> [read_name(name) for name in ("Leber", "Non-tumor liver", "HCC 2", "Liver veins")]
        ['liver', 'liver', 'tumor', 'other']
        >>> [read_name(name) for name in ("Peritumoral", "Liver box", "Segment_1")]
        ['unclear', 'unclear', 'nothing']
    """
    words = words_of(text)
    found = set(words)
    if _LOAT & found or ("lesser" in found and _OMENTUM & found):
        return "unclear" if (_LIVER | _TUMOR | _NOT) & found else "loat"
    if _LIVER & found and _TUMOR & found:
        inside = _liver_around_tumor(words)
        if inside is not None:
            return inside
    if found & (_NOT | _FREE | _NEARBY):
        return "unclear"
    if found & _OTHER:
        return "unclear" if found & (_TUMOR | _NECROSIS) else "other"
    return _plain_meaning(found)


def _liver_around_tumor(words: list[str]) -> Meaning | None:
    """Tell "liver without tumor" and "liver with tumor", both liver, from "liver tumor"."""
    found = set(words)
    if found & (_OTHER | _NEARBY | _PART_OF_LIVER):
        return "unclear"
    linked = found & (_NOT | _FREE | _WITH)
    if not linked:
        return None
    if len(linked) > 1 or not found <= (
        linked | _LIVER | _TUMOR | _NECROSIS | _JOINTS | _ABOUT | _OF_LIVER | _HEPATIC
    ):
        return "unclear"
    liver = min(i for i, word in enumerate(words) if word in _LIVER)
    tumor = min(i for i, word in enumerate(words) if word in _TUMOR)
    link = words.index(linked.pop())
    if words[link] in _FREE:  # tumor-free liver
        return "liver" if tumor == link - 1 else "unclear"
    if words[link] in _WITH:  # liver with tumor
        return "liver" if liver < link < tumor else "unclear"
    after = [word for word in words[link + 1 :] if word not in _JOINTS]
    return "liver" if after and after[0] in _TUMOR else "unclear"


def _plain_meaning(found: set[str]) -> Meaning:
    """Return what words say among which there is no negation and no other structure."""
    numbered = {word for word in found if len(word) == 1 and word.isascii()}
    if found & _TUMOR:
        fits = _TUMOR | _LIVER | _NECROSIS | _JOINTS | _ABOUT | _OF_TUMOR | _OF_LIVER | numbered
        return "tumor" if found <= fits - {"normal", "healthy", "background"} else "unclear"
    if found & _NECROSIS:
        return "tumor part" if found <= _NECROSIS | _JOINTS | _ABOUT else "unclear"
    if found & (_LIVER | _HEPATIC):
        organ = found & _LIVER or found & _words("parenchyma parenchym parenchyme parenquima")
        fits = (_LIVER | _HEPATIC | _JOINTS | _ABOUT | _OF_LIVER) - _words("fat adipose region")
        return "liver" if organ and found <= fits else "unclear"
    return "unclear" if found - (_OF_TUMOR | _ABOUT | _OF_LIVER | _JOINTS) else "nothing"


def narrows(text: str, region: str) -> bool:
    """Return whether a name makes a coded liver or tumor something else, or a part of it.

    Args:
        text: The label of a segment whose code is understood.
        region: What the code says, ``liver`` or ``tumor``.

    Example:
        >>> narrows("Couinaud VI", "liver"), narrows("JS final", "liver"), narrows("VI", "tumor")
        (True, False, False)
    """
    other = _NEARBY | _NOT | _FREE | _OTHER
    return bool(set(words_of(text)) & (other | _PART_OF_LIVER if region == "liver" else other))
