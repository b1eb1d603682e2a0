//! Which functions there are, and how they are called.

use std::ops::Range;

use super::fault::Fault;
use crate::text::code::engine as code;
use crate::text::diagnostic::did_you_mean;

/// How a function is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Function {
    pub name: &'static str,
    pub least: usize,
    pub most: usize,
    /// A call, as help shows it.
    pub usage: &'static str,
}

const ANY: usize = usize::MAX;

const fn function(name: &'static str, least: usize, most: usize, usage: &'static str) -> Function {
    Function { name, least, most, usage }
}

/// Go's own, then Packer's.
const FUNCTIONS: &[Function] = &[
    function("and", 1, ANY, "and A B"),
    function("call", 1, ANY, "call FUNCTION"),
    function("eq", 1, ANY, "eq A B"),
    function("ge", 2, 2, "ge A B"),
    function("gt", 2, 2, "gt A B"),
    function("html", 0, ANY, "html TEXT"),
    function("index", 1, ANY, "index MAP \"key\""),
    function("js", 0, ANY, "js TEXT"),
    function("le", 2, 2, "le A B"),
    function("len", 1, 1, "len TEXT"),
    function("lt", 2, 2, "lt A B"),
    function("ne", 2, 2, "ne A B"),
    function("not", 1, 1, "not A"),
    function("or", 1, ANY, "or A B"),
    function("print", 0, ANY, "print A B"),
    function("printf", 1, ANY, "printf \"%s-%s\" A B"),
    function("println", 0, ANY, "println A B"),
    function("slice", 1, 4, "slice TEXT FROM TO"),
    function("urlquery", 0, ANY, "urlquery TEXT"),
    function("aws_secretsmanager", 1, 2, "aws_secretsmanager \"name\" \"key\""),
    function("aws_secretsmanager_raw", 1, 1, "aws_secretsmanager_raw \"name\""),
    function("build", 1, 1, "build \"ID\""),
    function("build_name", 0, 0, "build_name"),
    function("build_type", 0, 0, "build_type"),
    function("clean_resource_name", 1, 1, "clean_resource_name TEXT"),
    function("consul_key", 1, 1, "consul_key \"path\""),
    function("env", 1, 1, "env \"NAME\""),
    function("hcl", 1, 1, "hcl EXPRESSION"),
    function("isotime", 0, 1, "isotime \"2006-01-02\""),
    function("lower", 1, 1, "lower TEXT"),
    function("packer_version", 0, 0, "packer_version"),
    function("pwd", 0, 0, "pwd"),
    function("replace", 4, 4, "replace \"old\" \"new\" COUNT TEXT"),
    function("replace_all", 3, 3, "replace_all \"old\" \"new\" TEXT"),
    function("sed", 2, 2, "sed \"s/old/new/\" TEXT"),
    function("split", 3, 3, "split TEXT \"separator\" INDEX"),
    function("strftime", 1, 1, "strftime \"%Y-%m-%d\""),
    function("template_dir", 0, 0, "template_dir"),
    function("timestamp", 0, 0, "timestamp"),
    function("upper", 1, 1, "upper TEXT"),
    function("user", 1, 1, "user \"name\""),
    function("uuid", 0, 0, "uuid"),
    function("vault", 2, 2, "vault \"secret/data/path\" \"key\""),
];

pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|f| f.name == name)
}

/// The name of a function that Packer's Amazon builders still took by an old one.
pub(super) fn todays_name(old: &str) -> Option<&'static str> {
    (old == "clean_ami_name").then_some("clean_resource_name")
}

/// What is wrong with the use of this name as a function; `amazon` components have one function more.
pub(super) fn unknown(name: &str, range: &Range<usize>, amazon: bool) -> Option<Fault> {
    if name == "clean_resource_name" && !amazon {
        return Some(
            Fault::new(code::NOT_HERE, range.clone(), "`clean_resource_name` is not available here")
                .help("only the amazon builders and amazon-import have it; `replace_all` works everywhere"),
        );
    }
    if find(name).is_some() {
        return None;
    }
    if let Some(today) = todays_name(name).filter(|_| amazon) {
        let message = format!("`{name}` is called `{today}` today");
        let help = format!("write `{today}`; newer versions of Packer do not know `{name}`");
        return Some(
            Fault::warning(code::OLD_FUNCTION, range.clone(), message).suggest(range.clone(), Some(today)).help(help),
        );
    }
    let fault = Fault::new(code::UNKNOWN_FUNCTION, range.clone(), format!("function `{name}` is not defined"));
    if name == "clean_image_name" {
        return Some(
            fault
                .suggest(range.clone(), Some("clean_resource_name"))
                .help("Packer renamed it to `clean_resource_name`"),
        );
    }
    let near = did_you_mean(name, FUNCTIONS.iter().map(|f| f.name).filter(|f| amazon || *f != "clean_resource_name"));
    let fault = fault.help(format!(
        "for the user variable `{name}` write {{{{user `{name}`}}}}, for a value of the build {{{{ .{name} }}}}"
    ));
    Some(fault.suggest(range.clone(), near))
}

/// What is wrong with a call of so many arguments.
pub(super) fn miscounted(function: &Function, count: usize, range: &Range<usize>) -> Option<Fault> {
    if (function.least..=function.most).contains(&count) {
        return None;
    }
    let Function { name, least, most, usage } = *function;
    let wants = match (least, most) {
        (0, 0) => "no argument".to_owned(),
        (1, 1) => "one argument".to_owned(),
        (least, ANY) => format!("at least {least} argument{}", if least == 1 { "" } else { "s" }),
        (least, most) if least == most => format!("{least} arguments"),
        (least, most) => format!("{least} to {most} arguments"),
    };
    let got = if count == 0 { "none".to_owned() } else { count.to_string() };
    Some(
        Fault::new(code::CALL, range.clone(), format!("`{name}` wants {wants} and got {got}"))
            .help(format!("write `{{{{{usage}}}}}`")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_function_gets_a_suggestion() {
        let fault = unknown("usr", &(2..5), true).unwrap();
        assert_eq!(fault.message, "function `usr` is not defined");
        assert_eq!(fault.help.as_deref(), Some("did you mean `user`?"));
        assert_eq!(fault.fix.map(|f| f.2).as_deref(), Some("user"));
    }

    #[test]
    fn the_old_name_of_clean_resource_name_is_warned_of_where_it_was_amazons() {
        let fault = unknown("clean_ami_name", &(0..14), true).unwrap();
        assert!(fault.warning && fault.fix.is_some_and(|f| f.2 == "clean_resource_name"));
        assert!(unknown("clean_ami_name", &(0..14), false).is_some_and(|f| !f.warning));
        let fault = unknown("clean_image_name", &(0..16), true).unwrap();
        assert_eq!(fault.help.as_deref(), Some("Packer renamed it to `clean_resource_name`"));
    }

    #[test]
    fn clean_resource_name_belongs_to_amazon() {
        assert!(unknown("clean_resource_name", &(0..1), true).is_none());
        assert_eq!(unknown("clean_resource_name", &(0..1), false).map(|f| f.code), Some(code::NOT_HERE));
    }

    #[test]
    fn the_number_of_arguments_is_told() {
        let said = |name, count| miscounted(find(name).unwrap(), count, &(0..0)).map(|f| f.message);
        assert_eq!(said("upper", 1), None);
        assert_eq!(said("upper", 0).as_deref(), Some("`upper` wants one argument and got none"));
        assert_eq!(said("uuid", 1).as_deref(), Some("`uuid` wants no argument and got 1"));
        assert_eq!(said("isotime", 2).as_deref(), Some("`isotime` wants 0 to 1 arguments and got 2"));
        assert_eq!(said("eq", 0).as_deref(), Some("`eq` wants at least 1 argument and got none"));
    }
}
