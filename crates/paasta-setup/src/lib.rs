//! One pass over one instance: observe, plan, act, settle, act.
