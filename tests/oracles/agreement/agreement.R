# Oracle of intraclass correlations and kappas: R 4.2.2, psych.
# Shrout and Fleiss' table (Psychological Bulletin 1979;86:420-428), a drawn table, and, where the
# real table is at hand, the three readers of HCC-TACE-Seg (The Cancer Imaging Archive).
# Run in this folder: Rscript agreement.R ../../data/hcc_tace_seg/clinical.csv
suppressMessages(library(psych))
shrout <- matrix(c(9, 2, 5, 8, 6, 1, 3, 2, 8, 4, 6, 8, 7, 1, 2, 6, 10, 5, 6, 9, 6, 2, 4, 7),
                 ncol = 4, byrow = TRUE)
icc <- function(source, ratings) {
  r <- ICC(na.omit(ratings), lmer = FALSE)$results
  data.frame(source = source, statistic = c("icc_1_1", "icc_2_1", "icc_3_1", "icc_1_k", "icc_2_k", "icc_3_k"),
             value = r$ICC, low = r$`lower bound`, high = r$`upper bound`, p = r$p)
}
# psych's interval of the weighted kappa is left out: it sums rowSums(w * rs) where the formula of
# Fleiss, Cohen and Everitt (1969) needs colSums(w * rs); statsmodels is the oracle of that one.
kappas <- function(source, first, second) {
  both <- na.omit(data.frame(first, second))
  found <- cohen.kappa(both)  # weights: quadratic
  data.frame(source = source, statistic = c("cohen_kappa", "cohen_kappa_quadratic"),
             value = c(found$kappa, found$weighted.kappa),
             low = c(found$confid[1, 1], NA), high = c(found$confid[1, 3], NA), p = NA)
}
set.seed(7)
truth <- sample(1:3, 90, replace = TRUE, prob = c(0.5, 0.3, 0.2))
blur <- function() pmin(3, pmax(1, truth + sample(c(-1, 0, 0, 0, 1), 90, replace = TRUE)))
drawn <- data.frame(patient_id = sprintf("P%02d", 1:90), reader_1 = blur(), reader_2 = blur(), reader_3 = blur())
write.csv(drawn, "categories.csv", row.names = FALSE)
out <- rbind(icc("shrout_fleiss", shrout), kappas("categories", drawn$reader_1, drawn$reader_2))
arguments <- commandArgs(trailingOnly = TRUE)
if (length(arguments)) {
  d <- read.csv(arguments[1], check.names = FALSE)
  out <- rbind(out, icc("recist_baseline", d[, paste0(1:3, "_RECIST_BL")]),
               kappas("mrecist_response", d$`1_mRECIST`, d$`2_mRECIST`))
}
out[, 3:6] <- lapply(out[, 3:6], function(x) format(x, digits = 12, trim = TRUE))
write.csv(out, "expected.csv", row.names = FALSE, quote = FALSE)
