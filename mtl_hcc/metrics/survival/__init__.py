"""How well predicted risks agree with the times that were observed, censoring included."""
