# Oracle of logistic and Cox regression: R 4.2.2, glm and survival's coxph (Efron), Wald intervals.
# Run in this folder: Rscript regression.R > regression.csv
suppressMessages(library(survival))
rows <- list()
keep <- function(cohort, model, fit, n, events) {
  ci <- confint.default(fit)
  p <- coef(summary(fit))
  p <- p[, ncol(p)]
  out <- data.frame(cohort, model, term = names(coef(fit)), ratio = exp(coef(fit)),
                    ci_low = exp(ci[, 1]), ci_high = exp(ci[, 2]), p = p, n, events)
  rows[[length(rows) + 1]] <<- out[out$term != "(Intercept)", ]
}
tcga <- read.csv("../../data/tcga_lihc/clinical.csv")
tcga <- transform(tcga, log_afp = log10(afp), male = as.numeric(sex == "male"))
for (terms in c("log_afp", "age_years", "male", "log_afp + age_years + male")) {
  fit <- glm(as.formula(paste("mvi ~", terms)), binomial, tcga)
  keep("tcga_lihc", paste("mvi ~", terms), fit, nobs(fit), sum(fit$y))
}
alive <- subset(tcga, os_days > 0)
for (terms in c("log_afp", "age_years", "log_afp + age_years + male + mvi")) {
  fit <- coxph(as.formula(paste("Surv(os_days, os_event) ~", terms)), alive)
  keep("tcga_lihc", paste("os ~", terms), fit, fit$n, fit$nevent)
}
tace <- read.csv("../../data/hcc_tace_seg/clinical.csv")
tace <- data.frame(days = tace$OS, event = tace[[5]], log_afp = log10(tace$AFP), age = tace$age,
                   cps_b = ifelse(tace$CPS == "", NA, as.numeric(tace$CPS == "B")))
for (terms in c("log_afp", "log_afp + age", "log_afp + age + cps_b")) {
  fit <- coxph(as.formula(paste("Surv(days, event) ~", terms)), tace)
  keep("hcc_tace_seg", paste("os ~", terms), fit, fit$n, fit$nevent)
}
out <- do.call(rbind, rows)
out[4:7] <- lapply(out[4:7], function(x) sprintf("%.8g", x))
write.csv(out, row.names = FALSE, quote = FALSE)
