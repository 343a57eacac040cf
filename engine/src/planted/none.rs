//! Without the feature `planted-defects` no defect is compiled in: each `planted!` is the
//! right behaviour, and costs nothing.

macro_rules! planted {
    ($defect:ident) => {
        false
    };
    ($defect:ident => $wrong:expr) => {};
    ($defect:ident, one in $n:literal) => {
        false
    };
    ($defect:ident, one in $n:literal, $right:expr => $wrong:expr) => {
        $right
    };
    ($defect:ident, $right:expr => $wrong:expr) => {
        $right
    };
}
