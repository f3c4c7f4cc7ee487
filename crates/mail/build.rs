//! The templates are compiled in; without this line a changed template would not rebuild the crate.

fn main() {
    println!("cargo:rerun-if-changed=../../email_templates");
}
