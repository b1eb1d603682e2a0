//! Every component, by kind and type. Adding one is a file and a line here.
