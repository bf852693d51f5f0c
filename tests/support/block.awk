# The blocks of code of a document whose first line is `first`.
/^```/ {
    within = !within
    wanted = 0
    at = NR
    next
}
within && NR == at + 1 { wanted = $0 == first }
wanted
