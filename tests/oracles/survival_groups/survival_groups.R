# Oracle of curves, tests, Cox models and competing risks: R 4.2.2, survival 3.5.3, cmprsk 2.2.11.
# Run in this folder: Rscript survival_groups.R ../../data/tcga_lihc/clinical.csv \
#   ../../data/hcc_tace_seg/clinical.csv
# Those two tables are not kept here; only what R computes from them is.
library(survival)
library(cmprsk)
files <- commandArgs(TRUE)
out <- list()
say <- function(data, quantity, which, value)
  out[[length(out) + 1]] <<- data.frame(data, quantity, which, value)

tarone <- function(s) {  # trend test with scores 1, 2, ... (Tarone 1975)
  w <- seq_along(s$obs)
  sum(w * (s$obs - s$exp))^2 / drop(t(w) %*% s$var %*% w)
}

# d: time, event, group (ordered), high (logical), cause; formula: the Cox model's right side
study <- function(name, d, formula, days, tau) {
  assign("d", d, globalenv())  # where cox.zph looks for the data
  for (type in c("log-log", "log", "plain")) {
    km <- summary(survfit(Surv(time, event) ~ 1, d, conf.type = type), times = days)
    for (i in seq_along(days)) {
      say(name, paste("survival", type), days[i], km$surv[i])
      say(name, paste("survival low", type), days[i], km$lower[i])
      say(name, paste("survival high", type), days[i], km$upper[i])
      if (type == "log-log") say(name, "at risk", days[i], km$n.risk[i])
    }
  }
  ends <- function(quantity, e) {
    q <- quantile(survfit(Surv(d$time, e) ~ 1, conf.type = "log-log"), 0.5)
    for (part in c("quantile", "lower", "upper")) say(name, quantity, part, unname(q[[part]]))
  }
  ends("median survival", d$event)
  ends("median follow-up", 1 - d$event)
  s <- survdiff(Surv(time, event) ~ group, d)
  df <- length(s$obs) - 1
  say(name, "logrank groups", "chi", s$chisq)
  say(name, "logrank groups", "p", pchisq(s$chisq, df, lower.tail = FALSE))
  for (i in seq_along(s$exp)) say(name, "logrank expected", i, s$exp[i])
  say(name, "logrank trend", "chi", tarone(s))
  s <- survdiff(Surv(time, event) ~ high, d)
  say(name, "logrank two", "p", pchisq(s$chisq, 1, lower.tail = FALSE))
  for (high in c(FALSE, TRUE)) {
    r <- summary(survfit(Surv(time, event) ~ 1, d[d$high == high, ]), rmean = tau)$table
    say(name, "rmst", paste(high), r["rmean"])
    say(name, "rmst se", paste(high), r["se(rmean)"])
  }
  cox <- function(quantity, model) {
    s <- summary(model); z <- cox.zph(model, terms = FALSE)$table
    for (term in rownames(s$coefficients)) {
      say(name, paste(quantity, "hazard_ratio"), term, s$conf.int[term, 1])
      say(name, paste(quantity, "ci_low"), term, s$conf.int[term, 3])
      say(name, paste(quantity, "ci_high"), term, s$conf.int[term, 4])
      say(name, paste(quantity, "p"), term, s$coefficients[term, 5])
      say(name, paste(quantity, "ph_p"), term, z[term, 3])
    }
    say(name, paste(quantity, "ph_global_p"), "all", z["GLOBAL", 3])
    say(name, paste(quantity, "n"), "all", model$n)
    say(name, paste(quantity, "events"), "all", model$nevent)
  }
  cox("cox", coxph(formula, d))
  cox("two groups", coxph(Surv(time, event) ~ high, d))
  if (is.null(d$cause)) return(invisible())
  d <- d[!is.na(d$cause), ]
  states <- survfit(Surv(time, factor(cause, 0:2)) ~ 1, d, conf.type = "log-log")
  aj <- summary(states, times = days)
  for (k in 1:2) {
    for (i in seq_along(days)) {
      say(name, paste("incidence", k), days[i], aj$pstate[i, k + 1])
      say(name, paste("incidence se", k), days[i], aj$std.err[i, k + 1])
      say(name, paste("incidence low", k), days[i], aj$lower[i, k + 1])
      say(name, paste("incidence high", k), days[i], aj$upper[i, k + 1])
    }
    say(name, paste("cause-specific", k), "hazard_ratio", exp(coef(coxph(Surv(time, cause == k) ~ high, d))))
    for (groups in c("high", "group")) {
      g <- cuminc(d$time, d$cause, d[[groups]], cencode = 0)$Tests
      say(name, paste("gray", k, groups), "chi", g[k, "stat"])
      say(name, paste("gray", k, groups), "p", g[k, "pv"])
    }
  }
}

heavy <- subset(read.csv("../cox/patients.csv"), data == "heavy")
heavy$group <- findInterval(heavy$x, quantile(heavy$x, c(1, 2) / 3)); heavy$high <- heavy$x > 0
heavy$cause <- ifelse(heavy$event == 0, 0, 1 + heavy$patient %% 2)
study("heavy", heavy, Surv(time, event) ~ x + stratum, quantile(heavy$time, c(.25, .5, .75), type = 1), median(heavy$time))

lihc <- read.csv(files[1], na.strings = c("NA", ""))
lihc <- lihc[complete.cases(lihc[c("rfs_days", "rfs_event", "afp", "grade")]), ]
lihc$time <- lihc$rfs_days; lihc$event <- lihc$rfs_event
lihc$log1p_afp <- log1p(lihc$afp); lihc$group <- lihc$grade; lihc$high <- lihc$afp > 20
lihc$cause <- with(lihc, ifelse(rfs_event == 0, 0, ifelse(os_event == 1 & os_days == rfs_days, 2, 1)))
lihc$cause[lihc$rfs_days > lihc$os_days] <- NA
study("tcga_lihc", lihc, Surv(time, event) ~ age_years + sex + log1p_afp,
  c(365, 730, 1095, 1825), 1095)

tace <- read.csv(files[2])
tace$time <- 7 * tace$OS; tace$event <- tace$Death_1_StillAliveorLostToFU_0
tace$group <- tace$BCLC; tace$high <- tace$BCLC %in% c("Stage-C", "Stage-D")
tace$child_pugh <- tace$CPS
study("hcc_tace_seg", tace, Surv(time, event) ~ age + child_pugh + high, c(365, 730, 1095), 1095)

out <- do.call(rbind, out)
out$value <- trimws(formatC(out$value, digits = 15, format = "g"))
write.csv(out, "survival_groups.csv", row.names = FALSE, quote = FALSE)
