//! Operator programs, named as in PaaSTA.
