# Oracle of Uno's C-index, AUC, Brier score and scaled Brier score at horizons, on real tables:
# R 4.2.2, survival 3.5.3, riskRegression 2022.11.28.
# Run in this folder: Rscript horizon_metrics.R ../../data/tcga_lihc/clinical.csv \
#   ../../data/hcc_tace_seg/clinical.csv
# The tables are not kept here; only what R computes from them is.
suppressMessages({library(survival); library(riskRegression); library(prodlim)})
paths <- commandArgs(TRUE)
lihc <- read.csv(paths[1])
tace <- read.csv(paths[2], check.names = FALSE)
cohorts <- list(
  tcga_lihc_os = data.frame(time = lihc$os_days, event = lihc$os_event, afp = lihc$afp),
  tcga_lihc_rfs = data.frame(time = lihc$rfs_days, event = lihc$rfs_event, afp = lihc$afp),
  hcc_tace_seg_os = data.frame(time = round(7 * tace$OS),
    event = tace$Death_1_StillAliveorLostToFU_0, afp = tace$AFP))
horizons <- c(365, 730, 1095)

one <- function(name) {
  s <- na.omit(cohorts[[name]])
  risk <- log(s$afp + 1)
  # A made-up model, so that no fit stands between the two programs.
  surviving <- sapply(horizons, function(h) exp(-h / 2000 * exp(0.2 * (risk - 3))))
  uno <- function(tau) concordance(Surv(time, event) ~ risk, data = s, reverse = TRUE,
    timewt = "n/G2", ymax = tau)$concordance
  followed <- prodlim(Hist(time, event) ~ 1, data = s, reverse = TRUE)
  end <- max(s$time)
  tau <- min(end, followed$time[followed$surv < 0.1])
  score <- Score(list(model = 1 - surviving), formula = Hist(time, event) ~ 1, data = s,
    times = horizons, metrics = c("auc", "brier"), summary = "ipa", null.model = TRUE,
    cens.model = "km", se.fit = FALSE)
  auc <- as.data.frame(score$AUC$score)
  brier <- as.data.frame(score$Brier$score)
  brier <- brier[brier$model == "model", ]
  rows <- rbind(
    data.frame(metric = "uno", horizon_days = c(end, tau), value = c(uno(end), uno(tau))),
    data.frame(metric = "auc_td", horizon_days = auc$times, value = auc$AUC),
    data.frame(metric = "brier", horizon_days = brier$times, value = brier$Brier),
    data.frame(metric = "brier_scaled", horizon_days = brier$times, value = brier$IPA))
  data.frame(cohort = name, n = nrow(s), events = sum(s$event), rows)
}
out <- do.call(rbind, lapply(names(cohorts), one))
out$value <- format(out$value, digits = 15, trim = TRUE)
write.csv(out, "horizon_metrics.csv", row.names = FALSE, quote = FALSE)
