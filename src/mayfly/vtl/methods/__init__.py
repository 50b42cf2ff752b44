"""The methods that templates call on values, by the kind of value: those of Java's classes that make sense there."""
