from mtl_hcc.estimators.fitted_rows import fitted_models
from mtl_hcc.tables.regression import regression


def test_models_stand_side_by_side_with_their_sizes(patients, predictions):
    table = regression(patients, predictions, fitted_models(["network", "AFP"]))
    rows = table.set_index(["Outcome", "Covariate", "Comparison"])
    network = rows.loc[("OS", "Network (OS)", "per SD")]
    assert network["Univariate (95% CI)"] == ""
    assert 0 < float(network["With network p"]) < 0.05
    size = rows.loc[("OS", "Tumor diameter (mm)", "per 10 mm")]
    assert size["Multivariate (95% CI)"].count("(") == 1
    assert rows.loc[("OS", "BCLC stage", "C"), "Univariate (95% CI)"] == "- (fewer than 5 patients)"
    caption = table.attrs["caption"]
    assert "fitted on train rows" in caption
    assert "fitted on external rows, which the network never saw" in caption
    assert "OS n = 15" in caption


def test_without_predictions_there_is_no_column_of_the_network(patients):
    assert not [name for name in regression(patients) if "network" in name]


def test_a_table_without_clinical_columns_says_so(bare, predictions):
    table = regression(bare)
    assert table.empty
    assert "no clinical column" in table.attrs["caption"]
