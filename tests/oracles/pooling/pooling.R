# Random-effects pooling by metafor: Rscript pooling.R > pooling.csv
# Three sets of C-indices of centers (made up): heterogeneous, alike, two centers.
library(metafor)
sets <- list(
  heterogeneous = list(value = c(0.81, 0.62, 0.74, 0.55, 0.90), se = c(0.15, 0.20, 0.18, 0.25, 0.30)),
  alike = list(value = c(0.71, 0.70, 0.72, 0.69), se = c(0.20, 0.25, 0.30, 0.22)),
  two = list(value = c(0.75, 0.60), se = c(0.20, 0.25))
)
rows <- list()
for (test in c("knha", "adhoc")) for (name in names(sets)) for (method in c("REML", "DL")) {
  y <- qlogis(sets[[name]]$value)
  fit <- rma(yi = y, sei = sets[[name]]$se, method = method, test = test)
  p <- predict(fit)
  rows[[length(rows) + 1]] <- data.frame(
    set = name, method = method, test = test, value = fit$b[1], ci_low = fit$ci.lb, ci_high = fit$ci.ub,
    prediction_low = p$pi.lb, prediction_high = p$pi.ub, tau2 = fit$tau2, i2 = fit$I2,
    q = fit$QE, q_p = fit$QEp
  )
}
out <- do.call(rbind, rows)
out[-(1:3)] <- lapply(out[-(1:3)], function(x) sprintf("%.10g", x))
write.csv(out, row.names = FALSE, quote = FALSE)
