"""Names of segments as they come: a word that is known is not yet a name that is understood."""

import pytest

from mtl_hcc.cohorts.dicom.segment_words import narrows, read_name


@pytest.mark.parametrize(
    "name",
    [
        *("Liver", "LIVER", "liver_mask", "Leber", "Foie", "Hígado", "Higado", "Fegato", "fígado"),
        *("肝", "肝脏", "肝臓", "Leberparenchym", "Hepatic parenchyma", "whole liver", "Maksa"),
        *("Non-tumor liver", "nontumoral liver", "Nontumor Liver", "liver without tumor"),
        *("Liver w/o tumor", "tumor-free liver", "foie non tumoral", "Leber ohne Tumor"),
        *("liver minus tumor", "hígado sin tumor", "liver (no tumor)", "normal liver"),
        *("Liver + tumor", "liver including tumor", "Leber mit Tumor", "liver portal venous phase"),
    ],
)
def test_names_of_the_liver(name):
    assert read_name(name) == "liver"


@pytest.mark.parametrize(
    "name",
    [
        *("Tumor", "tumour", "Tumeur", "tumeur du foie", "Lebertumor", "LiverTumor", "liver_tumor"),
        *("Tumore", "lesion", "Läsion", "lésion 2", "HCC", "HCC 2 seg VI", "hcc_s8", "mass", "GTV"),
        *(
            "Hepatocellular carcinoma",
            "carcinome hépatocellulaire",
            "gross tumor volume",
            "tumor A",
        ),
        *(
            "肿瘤",
            "肝癌",
            "腫瘍",
            "肝肿瘤",
            "肝脏肿瘤",
            "tumor in liver",
            "liver lesion 3",
            "viable tumor",
        ),
        *("tumor left lobe", "tumor, necrotic", "Malignant neoplasm of liver", "target lesion"),
    ],
)
def test_names_of_a_tumor(name):
    assert read_name(name) == "tumor"


@pytest.mark.parametrize(
    "name",
    [
        *("Liver veins", "Hepatic vein", "Portal vein", "vessels in liver", "Lebervenen", "肝静脉"),
        *("Abdominal aorta", "gallbladder", "cyst", "Leberzyste", "Spleen", "Inferior vena cava"),
    ],
)
def test_names_of_other_structures(name):
    assert read_name(name) == "other"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "peritumoral",
            "Peritumoral liver",
            "tumor bed",
            "tumor thrombus",
            "tumor margin",
            "瘤周",
        ),
        *("liver bounding box", "liver perfusion", "perfusion", "Couinaud segment 4", "FLR"),
        *(
            "liver segment 4",
            "future liver remnant",
            "right liver",
            "left lobe of liver",
            "liver fat",
        ),
        *("liver without vessels", "non-liver", "tumor without liver", "not tumor", "no tumor"),
        *("renal mass", "cystic lesion", "pseudotumor", "hemangioma", "血管瘤", "liver metastasis"),
        *("HCC?", "HCC <10%", "Prob lesion", "liver/tumor", "tumor and liver", "tumor reader 2"),
        *(
            "liver JS",
            "hepatic",
            "ablation zone",
            "normal liver ROI",
            "greater omentum",
            "xyz",
            "liver fat",
        ),
    ],
)
def test_what_is_not_clear_is_never_guessed(name):
    assert read_name(name) == "unclear"


@pytest.mark.parametrize("name", ["", "1", "Segment_1", "Label 2", "Tissue", "Nodule 1", "Organ"])
def test_names_that_name_nothing(name):
    assert read_name(name) == "nothing"


def test_necrosis_and_the_lesser_omentum():
    assert read_name("Necrosis") == "tumor part"
    assert {read_name(name) for name in ("LOAT", "Lesser omental fat", "lesser omentum")} == {
        "loat"
    }


def test_a_label_narrows_what_a_code_says():
    assert narrows("Couinaud VI", "liver")
    assert narrows("peritumoral", "tumor")
    assert narrows("thrombus in portal vein", "tumor")
    assert not narrows("JS final", "liver")
    assert not narrows("segment VI", "tumor")
