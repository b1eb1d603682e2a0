codes! {
    SYNTAX = "K0101";
}
