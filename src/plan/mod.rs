//! From a template to a plan: check, resolve, select, revise. Pure; what needs the world comes back as questions.
