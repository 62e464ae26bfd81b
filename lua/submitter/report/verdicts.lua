--- What a verdict means, in words that tell no more than the verdict does.
return {
  AC = "accepted", WA = "wrong answer", TLE = "time limit", MLE = "memory limit", OLE = "output limit",
  RTE = "run-time error", SKIP = "not run", REJ = "rejected", IE = "internal error",
}
