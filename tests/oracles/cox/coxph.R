# Numbers of R's survival package for tests/losses/test_cox_values.py.
# Run in this folder: Rscript coxph.R   (R 4.2, survival 3.5)
# Writes patients.csv (the data sets) and loglik.csv (the log partial likelihood, its derivative in
# beta, and the number of events), all at fixed beta: coxph(init = beta, iter.max = 0).
library(survival)

data_set <- function(name, n, days, event_share, seed) {
  set.seed(seed)
  data.frame(
    data = name, patient = seq_len(n),
    time = if (days > 0) ceiling(rexp(n) * days) else round(rexp(n) * 1000, 6),
    event = as.integer(runif(n) < event_share),
    stratum = sample(0:2, n, replace = TRUE),
    x = round(rnorm(n, sd = 1.5), 6)
  )
}
patients <- rbind(
  # An event tied with censorings, in the row order that trips sorting by time alone.
  data.frame(data = "four", patient = 1:4, time = c(5, 5, 8, 5), event = c(1, 0, 1, 0),
             stratum = c(0, 1, 0, 1), x = c(0.5, -1.2, 0.3, 2.0)),
  data_set("untied", 40, 0, 0.5, 1),
  data_set("months", 60, 12, 0.5, 2),
  data_set("heavy", 80, 3, 0.8, 3),
  data_set("rare", 30, 20, 0.1, 4)
)

rows <- list()
for (name in unique(patients$data)) {
  d <- patients[patients$data == name, ]
  for (ties in c("efron", "breslow")) for (beta in c(-0.7, 0, 1)) for (stratified in c(FALSE, TRUE)) {
    formula <- if (stratified) Surv(time, event) ~ x + strata(stratum) else Surv(time, event) ~ x
    # timefix = FALSE: times are compared exactly, as in our loss.
    fit <- suppressWarnings(coxph(formula, d, init = beta, ties = ties,
                                  control = coxph.control(iter.max = 0, timefix = FALSE)))
    score <- sum(residuals(fit, type = "score"))
    rows[[length(rows) + 1]] <- data.frame(
      data = name, ties = ties, beta = beta, stratified = as.integer(stratified),
      loglik = fit$loglik[1], score = score, events = fit$nevent)
  }
}
options(digits = 15)
write.csv(patients, "patients.csv", row.names = FALSE, quote = FALSE)
write.csv(do.call(rbind, rows), "loglik.csv", row.names = FALSE, quote = FALSE)
