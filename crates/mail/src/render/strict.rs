//! Handlebars as we want it: strict everywhere.
//!
//! The built-in `if` and `unless` take a missing field for false even in strict mode; ours do not. `is` compares a field
//! with a word. The built-in helpers
//! that look fields up by a computed name, or write to the log, are taken away: templates have no use for them.

use handlebars::JsonTruthy as _;
use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError, RenderErrorReason,
    Renderable as _,
};

/// An empty registry: strict, without raw lookups, escaping with `escape`.
pub(super) fn registry(escape: fn(&str) -> String) -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(escape);
    registry.register_helper("if", Box::new(Condition { wanted: true }));
    registry.register_helper("unless", Box::new(Condition { wanted: false }));
    registry.register_helper("is", Box::new(Is));
    registry.unregister_helper("lookup");
    registry.unregister_helper("log");
    registry
}

/// `{{#if field}}…{{else}}…{{/if}}` whose field has to exist. `null`, `false`, `0`, `""` and `[]` count as no.
struct Condition {
    wanted: bool,
}

impl HelperDef for Condition {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        state: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let field = helper.param(0).ok_or(RenderErrorReason::ParamNotFoundForIndex("if", 0))?;
        if field.is_value_missing() {
            return Err(RenderError::strict_error(field.relative_path()));
        }
        let branch = if field.value().is_truthy(false) == self.wanted { helper.template() } else { helper.inverse() };
        match branch {
            Some(template) => template.render(registry, context, state, out),
            None => Ok(()),
        }
    }
}

/// `{{#is field "word"}}…{{else}}…{{/is}}`: whether a field, which has to exist, is that text.
struct Is;

impl HelperDef for Is {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        state: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let field = helper.param(0).ok_or(RenderErrorReason::ParamNotFoundForIndex("is", 0))?;
        let word = helper.param(1).ok_or(RenderErrorReason::ParamNotFoundForIndex("is", 1))?;
        if field.is_value_missing() {
            return Err(RenderError::strict_error(field.relative_path()));
        }
        let branch = if field.value() == word.value() { helper.template() } else { helper.inverse() };
        match branch {
            Some(template) => template.render(registry, context, state, out),
            None => Ok(()),
        }
    }
}
