# Oracle of AUC, DeLong and Wilson: R 4.2.2, pROC 1.18.0.
# Run in this folder: Rscript classification.R
suppressMessages(library(pROC))
set.seed(20)
n <- 130
label <- rbinom(n, 1, 0.4)
a <- round(plogis(rnorm(n, 1.4 * label - 0.7)), 2)  # two decimals: ties
b <- round(plogis(rnorm(n, 0.8 * label - 0.4)), 2)
write.csv(data.frame(patient_id = sprintf("P%03d", 1:n), label, a, b), "patients.csv", row.names = FALSE)
roc_a <- roc(label, a, levels = c(0, 1), direction = "<")
roc_b <- roc(label, b, levels = c(0, 1), direction = "<")
ci_a <- ci.auc(roc_a, method = "delong"); ci_b <- ci.auc(roc_b, method = "delong")
test <- roc.test(roc_a, roc_b, method = "delong", paired = TRUE)
wilson <- function(x, n) prop.test(x, n, correct = FALSE)$conf.int
w <- lapply(list(c(8, 10), c(0, 7), c(33, 33), c(101, 240)), function(p) wilson(p[1], p[2]))
out <- rbind(
  data.frame(name = "auc_a", value = ci_a[2], low = ci_a[1], high = ci_a[3]),
  data.frame(name = "auc_b", value = ci_b[2], low = ci_b[1], high = ci_b[3]),
  data.frame(name = "difference", value = ci_a[2] - ci_b[2], low = test$conf.int[1], high = test$conf.int[2]),
  data.frame(name = "p", value = test$p.value, low = NA, high = NA),
  data.frame(name = c("wilson_8_10", "wilson_0_7", "wilson_33_33", "wilson_101_240"),
             value = c(0.8, 0, 1, 101 / 240), low = sapply(w, `[`, 1), high = sapply(w, `[`, 2)))
out[, 2:4] <- lapply(out[, 2:4], function(x) format(x, digits = 15, trim = TRUE))
write.csv(out, "expected.csv", row.names = FALSE, quote = FALSE)
