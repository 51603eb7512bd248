"""The strategy lab: what bars alone can say about a strategy.

Lives here: the venue that fills orders in bars, figures, the result and its report. Not here:
stepping through the bars (app.research.backtest), reading them (market).
"""
