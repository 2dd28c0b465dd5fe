# Oracle of calibration and net benefit on TCGA-LIHC and HCC-TACE-Seg: R 4.2.2, survival 3.5.3,
# prodlim 2019.11.13, geepack 1.3.9, rms 6.5.0 (rcs).
# Run in this folder: Rscript calibration.R ../../data/tcga_lihc/clinical.csv \
#   ../../data/hcc_tace_seg/clinical.csv
# The tables are not kept here; only what R computes from them is. Predictions are a formula of AFP,
# so that the test makes the same ones.
suppressMessages({library(survival); library(prodlim); library(geepack); library(rms)})
paths <- commandArgs(TRUE)
rows <- list()
add <- function(cohort, horizon, name, value)
  rows[[length(rows) + 1]] <<- data.frame(cohort, horizon, name, value = format(as.numeric(value), digits = 12))

smoothed <- function(p, observed, cohort, h) {
  distance <- abs(p - observed)
  add(cohort, h, "ici", mean(distance)); add(cohort, h, "e50", median(distance))
  add(cohort, h, "e90", quantile(distance, 0.9))
}

# Kaplan-Meier at h; unknown beyond the last follow-up
at <- function(d, h) if (max(d$time) < h && min(survfit(Surv(time, event) ~ 1, d)$surv) > 0)
  list(surv = NA, lower = NA, upper = NA) else
  summary(survfit(Surv(time, event) ~ 1, data = d, conf.type = "log-log"), times = h, extend = TRUE)

survival_task <- function(cohort, s, scale) {
  for (h in c(365, 1095)) {
    p <- 1 - exp(-h / scale * exp(0.1 * (log(s$afp + 1) - 3)))
    s$cll <- log(-log(1 - p))
    # slope and intercept, weighted by inverse probability of censoring (events before censorings)
    uncensored <- survfit(Surv(time + 0.25 * (event == 0), event == 0) ~ 1, data = s)
    G <- function(t) c(1, uncensored$surv)[findInterval(t, uncensored$time) + 1]
    s$y <- as.numeric(s$time <= h & s$event == 1)
    s$w <- ifelse(s$y == 1, 1 / G(s$time), ifelse(s$time > h, 1 / G(h + 0.3), 0))
    recalibration <- function(formula) coef(glm(formula, quasibinomial("cloglog"), s, weights = w,
      control = list(epsilon = 1e-12, maxit = 100)))
    add(cohort, h, "calibration_intercept", recalibration(y ~ offset(cll))[1])
    add(cohort, h, "calibration_slope", recalibration(y ~ cll)[2])
    add(cohort, h, "weighted_share", weighted.mean(s$y, s$w))
    # the same by pseudo-values and generalized estimating equations: another estimator
    s$pseudo <- 1 - as.vector(jackknife(prodlim(Hist(time, event) ~ 1, data = s), times = h))
    s$id <- seq_len(nrow(s))
    gee <- function(formula, start) geese(formula, b = start, id = id, data = s,
      mean.link = "cloglog", variance = "binomial", corstr = "independence", scale.fix = TRUE)$beta
    add(cohort, h, "pseudo_intercept", gee(pseudo ~ offset(cll), 0)[1])
    add(cohort, h, "pseudo_slope", gee(pseudo ~ cll, c(0, 1))[2])
    # Austin 2020: Cox regression on rcs(log(-log(1 - p)), 3), Breslow's ties and hazard
    k <- quantile(s$cll, c(0.1, 0.5, 0.9))
    fit <- coxph(Surv(time, event) ~ rcs(cll, k), data = s, ties = "breslow",
      control = coxph.control(eps = 1e-12, toler.chol = 1e-13))
    base <- basehaz(fit, centered = FALSE)
    hazard <- max(base$hazard[base$time <= h])
    lp <- as.vector(model.matrix(fit) %*% coef(fit))
    smoothed(p, 1 - exp(-hazard * exp(lp)), cohort, h)
    # grouped, fifths
    g <- cut(p, unique(c(-Inf, quantile(p, 1:4 / 5), Inf)))
    for (i in seq_along(levels(g))) {
      inside <- s[g == levels(g)[i], ]
      km <- at(inside, h)
      add(cohort, h, paste0("group", i, "_n"), nrow(inside))
      add(cohort, h, paste0("group", i, "_predicted"), mean(p[g == levels(g)[i]]))
      add(cohort, h, paste0("group", i, "_observed"), 1 - km$surv)
      add(cohort, h, paste0("group", i, "_low"), 1 - km$upper)
      add(cohort, h, paste0("group", i, "_high"), 1 - km$lower)
    }
    # Vickers 2008
    for (t in c(0.1, 0.2, 0.3, 0.5)) {
      above <- p >= t; share <- mean(above)
      if (share == 0) { nb <- 0 } else {
        km <- at(s[above, ], h)
        nb <- share * (1 - km$surv) - share * km$surv * t / (1 - t)
      }
      add(cohort, h, paste0("net_benefit_", t), 100 * nb)
    }
  }
  # Haider 2020, follow-up cut at 1095 days, hazard constant between 0, 365 and 1095
  rate <- exp(0.1 * (log(s$afp + 1) - 3)) / scale
  time <- pmin(s$time, 1095); event <- ifelse(s$time <= 1095, s$event, 0)
  surv <- exp(-rate * time)
  counts <- rep(0, 10)
  for (i in seq_along(surv)) {
    own <- min(floor(surv[i] * 10) + 1, 10)
    if (event[i] == 1) { counts[own] <- counts[own] + 1; next }
    counts[own] <- counts[own] + (surv[i] - (own - 1) / 10) / surv[i]
    if (own > 1) counts[1:(own - 1)] <- counts[1:(own - 1)] + 0.1 / surv[i]
  }
  add(cohort, NA, "d_calibration_p", chisq.test(counts)$p.value)
  add(cohort, NA, "slope_of_risk",
    coef(coxph(Surv(time, event) ~ lp, data = data.frame(s, lp = 2 * log(s$afp + 1)), ties = "breslow")))
}

class_task <- function(cohort, s) {
  p <- plogis(-1 + 0.4 * (log(s$afp + 1) - 3)); s$x <- qlogis(p)
  add(cohort, NA, "calibration_slope", coef(glm(y ~ x, binomial, s))[2])
  add(cohort, NA, "calibration_intercept", coef(glm(y ~ 1, binomial, s, offset = x))[1])
  k <- quantile(s$x, c(0.1, 0.5, 0.9))
  smoothed(p, fitted(glm(y ~ rcs(x, k), binomial, s, control = list(epsilon = 1e-12))), cohort, NA)
  add(cohort, NA, "brier", mean((p - s$y)^2))
  add(cohort, NA, "brier_scaled", 1 - mean((p - s$y)^2) / mean((mean(s$y) - s$y)^2))
  for (t in c(0.1, 0.2, 0.3, 0.5)) add(cohort, NA, paste0("net_benefit_", t),
    100 * (mean(p >= t & s$y == 1) - mean(p >= t & s$y == 0) * t / (1 - t)))
}

tcga <- read.csv(paths[1])
os <- subset(data.frame(time = tcga$os_days, event = tcga$os_event, afp = tcga$afp), !is.na(time) & !is.na(event) & !is.na(afp))
survival_task("tcga_lihc", os, 2500)
class_task("tcga_lihc_mvi", subset(data.frame(y = tcga$mvi, afp = tcga$afp), !is.na(y) & !is.na(afp)))
tace <- read.csv(paths[2])
# its survival is in weeks
survival_task("hcc_tace_seg", subset(data.frame(time = 7 * tace$OS, event = tace$Death_1_StillAliveorLostToFU_0,
  afp = tace$AFP), !is.na(time) & !is.na(event) & !is.na(afp)), 1200)
write.csv(do.call(rbind, rows), "calibration.csv", row.names = FALSE, quote = FALSE)
