# Oracle of the unpaired DeLong test, NRI, IDI and Holm's correction: R 4.2.2, pROC 1.18.0, Hmisc.
# The patients are those of classification.R. Run in this folder: Rscript unpaired.R
suppressMessages({library(pROC); library(Hmisc)})
d <- read.csv("patients.csv")
first <- 1:70; second <- 71:130
roc_1 <- roc(d$label[first], d$a[first], levels = c(0, 1), direction = "<")
roc_2 <- roc(d$label[second], d$a[second], levels = c(0, 1), direction = "<")
test <- roc.test(roc_1, roc_2, method = "delong", paired = FALSE)
continuous <- improveProb(d$b, d$a, d$label)  # a is the new model
categorical <- improveProb(as.numeric(d$b >= 0.5), as.numeric(d$a >= 0.5), d$label)
p <- c(0.012, 0.04, 0.003, 0.2, 0.04, 0.9)
out <- rbind(
  data.frame(name = "unpaired_difference", value = as.numeric(auc(roc_1) - auc(roc_2)), se = NA),
  data.frame(name = "unpaired_p", value = test$p.value, se = NA),
  data.frame(name = "unpaired_df", value = as.numeric(test$parameter), se = NA),
  data.frame(name = "nri", value = categorical$nri, se = categorical$se.nri),
  data.frame(name = "nri_continuous", value = continuous$nri, se = continuous$se.nri),
  data.frame(name = "idi", value = continuous$idi, se = continuous$se.idi),
  data.frame(name = paste0("holm_", seq_along(p)), value = p.adjust(p, "holm"), se = NA))
out$value <- format(out$value, digits = 15, trim = TRUE)
out$se <- format(out$se, digits = 15, trim = TRUE)
write.csv(out, "unpaired.csv", row.names = FALSE, quote = FALSE)
