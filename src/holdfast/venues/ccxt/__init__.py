"""Other exchanges by way of ccxt: public metadata and history. Orders never go this way."""
