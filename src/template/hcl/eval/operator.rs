//! Operators and the conditional.

use super::super::syntax::ast::{BinaryOperator, Expression, UnaryOperator};
use super::super::value::{Kind, Number, Type, Value, convert, unify_unsafe};
use super::{Evaluator, anything, late};
use crate::text::Span;
use crate::text::code::hcl_value as code;

impl BinaryOperator {
    pub(super) fn written(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }

    fn operand(self) -> Type {
        match self {
            Self::Or | Self::And => Type::Bool,
            Self::Equal | Self::NotEqual => Type::Any,
            _ => Type::Number,
        }
    }

    fn result(self) -> Type {
        match self {
            Self::Add | Self::Subtract | Self::Multiply | Self::Divide | Self::Remainder => Type::Number,
            _ => Type::Bool,
        }
    }
}

impl Evaluator<'_> {
    pub(super) fn unary(&mut self, operator: UnaryOperator, operand: &Expression) -> Value {
        let value = self.evaluate(operand);
        let (written, ty) = if operator == UnaryOperator::Negate { ("-", Type::Number) } else { ("!", Type::Bool) };
        if late::holds(&value) {
            return late::unary(written, &value);
        }
        let Some(value) = self.operand(&value, written, &ty, operand.span) else { return Value::unknown(ty) };
        match value.kind() {
            Kind::Number(n) => Value::number(n.negated()),
            Kind::Bool(b) => Value::from(!b),
            _ => Value::unknown(ty),
        }
        .mark(value.is_sensitive())
    }

    pub(super) fn binary(
        &mut self,
        operator: BinaryOperator,
        left: &Expression,
        right: &Expression,
        span: Span,
    ) -> Value {
        let (a, b) = (self.evaluate(left), self.evaluate(right));
        if late::holds(&a) || late::holds(&b) {
            return late::binary(operator.written(), &a, &b);
        }
        let sensitive = a.is_sensitive() || b.is_sensitive();
        if matches!(operator, BinaryOperator::Equal | BinaryOperator::NotEqual) {
            let equal = a.equals(&b);
            return match (equal.as_bool(), operator) {
                (Some(equal_values), BinaryOperator::NotEqual) => Value::from(!equal_values).mark(equal.is_sensitive()),
                _ => equal,
            };
        }
        let (written, ty) = (operator.written(), operator.operand());
        let a = self.operand(&a, written, &ty, left.span);
        let b = self.operand(&b, written, &ty, right.span);
        let (Some(a), Some(b)) = (a, b) else { return Value::unknown(operator.result()) };
        let value = match (a.kind(), b.kind()) {
            (Kind::Bool(a), Kind::Bool(b)) => {
                Value::from(if operator == BinaryOperator::And { *a && *b } else { *a || *b })
            }
            (Kind::Number(a), Kind::Number(b)) => self.arithmetic(operator, a, b, span),
            _ => Value::unknown(operator.result()),
        };
        value.mark(sensitive)
    }

    fn arithmetic(&mut self, operator: BinaryOperator, a: &Number, b: &Number, span: Span) -> Value {
        let result = match operator {
            BinaryOperator::Less => return Value::from(a < b),
            BinaryOperator::LessOrEqual => return Value::from(a <= b),
            BinaryOperator::Greater => return Value::from(a > b),
            BinaryOperator::GreaterOrEqual => return Value::from(a >= b),
            BinaryOperator::Add => a.plus(b),
            BinaryOperator::Subtract => a.minus(b),
            BinaryOperator::Multiply => a.times(b),
            BinaryOperator::Divide => a.divided_by(b),
            _ => a.remainder(b),
        };
        result.map_or_else(
            || {
                let message = format!("`{}` has no result for these numbers", operator.written());
                self.error(code::OPERAND, span, message, "one of them is zero or infinite");
                Value::unknown(Type::Number)
            },
            Value::number,
        )
    }

    /// An operand as what the operator takes; `None` where it is none, which is reported.
    fn operand(&mut self, value: &Value, operator: &str, ty: &Type, span: Span) -> Option<Value> {
        let wanted = ty.described();
        if value.is_null() {
            let message = format!("`{operator}` takes {wanted}, and this is null");
            self.error(code::OPERAND, span, message, "compare with `null` first, or use `coalesce`");
            return None;
        }
        let converted = convert(value, ty).ok();
        if converted.is_none() {
            let message = format!("`{operator}` takes {wanted}, and this is {}", value.type_of().described());
            let help = if operator == "+" {
                "texts are put together as `\"${a}${b}\"`, lists with `concat`, maps with `merge`"
            } else {
                "convert it, or take the part of it that is meant"
            };
            self.error(code::OPERAND, span, message, help);
        }
        converted
    }

    pub(super) fn conditional(
        &mut self,
        condition: &Expression,
        yes: &Expression,
        no: &Expression,
        span: Span,
    ) -> Value {
        let chosen = self.evaluate(condition);
        let (yes_value, yes_found) = self.quietly(yes);
        let (no_value, no_found) = self.quietly(no);
        if late::holds(&chosen) {
            self.diagnostics.extend(yes_found.into_iter().chain(no_found));
            return late::conditional(&chosen, &yes_value, &no_value);
        }
        let result_type = match (yes_value.kind(), no_value.kind()) {
            (Kind::Null(Type::Any), _) => Some(no_value.type_of()),
            (_, Kind::Null(Type::Any)) => Some(yes_value.type_of()),
            _ => unify_unsafe(&[yes_value.type_of(), no_value.type_of()]),
        };
        let Some(result_type) = result_type else {
            let message = format!(
                "the two values are of different types: {} and {}",
                yes_value.type_of().described(),
                no_value.type_of().described()
            );
            return self.error(code::CONDITION, span, message, "make both of them the same type");
        };
        if chosen.is_null() {
            return self.error(code::CONDITION, condition.span, "the condition is null", "it must be true or false");
        }
        let sensitive = chosen.is_sensitive();
        let Ok(chosen) = convert(&chosen, &Type::Bool) else {
            let message = format!("the condition is {}, not a bool", chosen.type_of().described());
            return self.error(
                code::CONDITION,
                condition.span,
                message,
                "compare it with something, such as `x != \"\"`",
            );
        };
        let Some(chosen) = chosen.as_bool() else { return Value::unknown(result_type).mark(sensitive) };
        let (value, found, place) =
            if chosen { (yes_value, yes_found, yes.span) } else { (no_value, no_found, no.span) };
        self.diagnostics.extend(found);
        match convert(&value, &result_type) {
            Ok(value) => value.mark(sensitive),
            Err(error) => {
                let message = format!("this does not become {}: {error}", result_type.described());
                self.error(code::CONDITION, place, message, "make both values the same type");
                anything()
            }
        }
    }
}
