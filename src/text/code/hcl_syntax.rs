codes! {
    SYNTAX = "K1201";
    STRING = "K1202";
    HEREDOC = "K1203";
    UNCLOSED = "K1204";
    ESCAPE = "K1205";
    CHARACTER = "K1206";
    LINE = "K1207";
    TWICE = "K1208";
    DIRECTIVE = "K1209";
    TOO_DEEP = "K1210";
    FOR = "K1211";
    NUMBER = "K1212";
    SEPARATOR = "K1213";
    QUOTED_NAME = "K1214";
}
