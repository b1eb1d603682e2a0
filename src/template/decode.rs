//! A walk over a component's tree, driven by its schema: renders, decodes weakly, reports every mistake.
