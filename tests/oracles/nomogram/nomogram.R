# Oracle of nomograms: R 4.2.2, rms 6.5.0, on TCGA-LIHC.
# Run in this folder: Rscript nomogram.R > nomogram.csv
suppressMessages(library(rms))
tcga <- read.csv("../../data/tcga_lihc/clinical.csv")
tcga <- subset(tcga, !is.na(afp) & afp > 0 & !is.na(age_years))
tcga$grade <- factor(ifelse(tcga$grade == "G4", "G3", tcga$grade), c("G1", "G2", "G3"))
tcga <- subset(tcga, !is.na(grade))[, c("mvi", "os_days", "os_event", "afp", "age_years", "grade")]
rows <- list()
keep <- function(model, axis, value, points)
  rows[[length(rows) + 1]] <<- data.frame(model, axis, value, points = sprintf("%.8g", points))
covariates <- function(model, nom) {
  keep(model, "afp", nom$afp$afp, nom$afp$points)
  keep(model, "age_years", nom$age_years$age_years, nom$age_years$points)
  keep(model, "grade", as.character(nom$grade$grade), nom$grade$points)
}
afp <- c(1, 10, 100, 1000, 10000)
age <- c(20, 40, 60, 80)
known <- subset(tcga, !is.na(mvi))
dd <- datadist(known); options(datadist = "dd")
fit <- lrm(mvi ~ log10(afp) + age_years + grade, known)
nom <- nomogram(fit, afp = afp, age_years = age, fun = plogis, fun.at = c(.1, .2, .3, .4, .5))
covariates("mvi", nom)
keep("mvi", "coefficient", names(coef(fit)), coef(fit))
keep("mvi", "probability", as.character(nom[["Predicted Value"]]$fat), nom[["Predicted Value"]]$x)
alive <- subset(tcga, os_days > 0)
dd <- datadist(alive); options(datadist = "dd")
cox <- cph(Surv(os_days, os_event) ~ log10(afp) + age_years + grade, alive, x = TRUE, y = TRUE,
           surv = TRUE)
survival <- Survival(cox)
nom <- nomogram(cox, afp = afp, age_years = age,
                fun = list(function(x) survival(365, x), function(x) survival(1095, x)),
                fun.at = c(.5, .6, .7, .8, .9), funlabel = c("y1", "y3"))
covariates("os", nom)
keep("os", "coefficient", names(coef(cox)), coef(cox))
for (year in c("y1", "y3"))
  keep("os", ifelse(year == "y1", "365", "1095"), as.character(nom[[year]]$fat), nom[[year]]$x)
out <- do.call(rbind, rows)
write.csv(out, row.names = FALSE, quote = FALSE)
