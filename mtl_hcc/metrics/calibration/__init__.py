"""Do patients given a risk of 30% have the event in 30% of cases?"""
