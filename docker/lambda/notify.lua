--- The function's entry: `submitter notify`, started as a script so that the C modules beside it are found.
os.exit(require("submitter.cli").main { "notify" })
