"""The managed runtime of Java: a launcher in Java, and how it is compiled and started."""
