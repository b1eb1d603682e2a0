list    = [for x in ["a", "b"] : upper(x) if x != "a"]
object  = { for i, x in ["a", "b"] : x => i }
grouped = { for x in ["ab", "ac", "b"] : substr(x, 0, 1) => x... }
splat   = [{ a = 1 }, { a = 2 }][*].a
