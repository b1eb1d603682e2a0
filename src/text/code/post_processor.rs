codes! {
    PATTERN = "K0901";
    CHECKSUM_TYPE = "K0902";
}
