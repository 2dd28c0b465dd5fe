# Oracle of the C-index and the log-rank test on the TCGA-LIHC table: R 4.2.2, survival 3.5.3.
# Run in this folder: Rscript tcga_lihc.R ../../data/tcga_lihc/clinical.csv
# The table is not kept here; only what R computes from it is.
library(survival)
d <- read.csv(commandArgs(TRUE)[1])
one <- function(endpoint) {
  time <- d[[paste0(endpoint, "_days")]]; event <- d[[paste0(endpoint, "_event")]]
  keep <- !is.na(time) & !is.na(event) & !is.na(d$afp)
  s <- data.frame(time, event, afp = d$afp)[keep, ]
  c_index <- concordance(Surv(time, event) ~ afp, data = s, reverse = TRUE)
  p <- survdiff(Surv(time, event) ~ afp > 20, data = s)
  km <- summary(survfit(Surv(time, event) ~ 1, data = s), times = c(365, 1095, 1825))
  data.frame(endpoint, n = nrow(s), events = sum(s$event), concordance = c_index$concordance,
    logrank_p = pchisq(p$chisq, 1, lower.tail = FALSE),
    survival_365 = km$surv[1], survival_1095 = km$surv[2], survival_1825 = km$surv[3],
    at_risk_365 = km$n.risk[1], at_risk_1095 = km$n.risk[2], at_risk_1825 = km$n.risk[3])
}
out <- rbind(one("os"), one("rfs"))
out[, -1] <- lapply(out[, -1], function(x) format(x, digits = 15, trim = TRUE))
write.csv(out, "tcga_lihc.csv", row.names = FALSE, quote = FALSE)
