package mayfly;

import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Writes values as JSON: what Json reads, and whatever has getters, public fields or components of a record. */
final class Writer {
    private static final int DEEPEST = 1000;

    private final StringBuilder out = new StringBuilder();
    private int depth;

    static String write(Object value) throws ReflectiveOperationException {
        Writer writer = new Writer();
        writer.value(value);
        return writer.out.toString();
    }

    private void value(Object value) throws ReflectiveOperationException {
        if (++depth > DEEPEST) {
            throw new IllegalArgumentException("the answer refers to itself, or is nested more than " + DEEPEST + " deep");
        }
        if (value instanceof Optional) {
            value(((Optional<?>) value).orElse(null));
        } else if (value == null || value instanceof Boolean) {
            out.append(value);
        } else if (value instanceof Number) {
            number((Number) value);
        } else if (value instanceof Map) {
            members((Map<?, ?>) value);
        } else if (value instanceof Iterable && !(value instanceof java.nio.file.Path)) {
            char before = '[';
            for (Object item : (Iterable<?>) value) {
                out.append(before);
                value(item);
                before = ',';
            }
            out.append(before == '[' ? "[]" : "]");
        } else if (value instanceof byte[]) {
            string(Base64.getEncoder().encodeToString((byte[]) value));
        } else if (value instanceof ByteBuffer) {
            ByteBuffer bytes = ((ByteBuffer) value).duplicate();
            byte[] copy = new byte[bytes.remaining()];
            bytes.get(copy);
            string(Base64.getEncoder().encodeToString(copy));
        } else if (value.getClass().isArray()) {
            out.append('[');
            for (int item = 0; item < Array.getLength(value); item++) {
                out.append(item == 0 ? "" : ",");
                value(Array.get(value, item));
            }
            out.append(']');
        } else if (value instanceof Enum) {
            string(((Enum<?>) value).name());
        } else if (value instanceof java.util.Date) {
            out.append(((java.util.Date) value).getTime());
        } else if (value.getClass().getName().startsWith("java.")) {
            string(value.toString());
        } else {
            members(properties(value));
        }
        depth--;
    }

    private void number(Number value) {
        double real = value.doubleValue();
        boolean strange = (value instanceof Double || value instanceof Float) && (Double.isNaN(real) || Double.isInfinite(real));
        out.append(strange ? "\"" + value + "\"" : value.toString());
    }

    private void members(Map<?, ?> members) throws ReflectiveOperationException {
        char before = '{';
        for (Map.Entry<?, ?> member : members.entrySet()) {
            out.append(before);
            string(String.valueOf(member.getKey()));
            out.append(':');
            value(member.getValue());
            before = ',';
        }
        out.append(before == '{' ? "{}" : "}");
    }

    private static Map<String, Object> properties(Object bean) throws ReflectiveOperationException {
        Map<String, Object> found = new TreeMap<>();
        for (Field field : bean.getClass().getFields()) {
            if (!Modifier.isStatic(field.getModifiers())) {
                field.setAccessible(true);
                found.put(field.getName(), field.get(bean));
            }
        }
        for (Method method : bean.getClass().getMethods()) {
            String name = method.getName();
            boolean can = method.getParameterCount() == 0 && !Modifier.isStatic(method.getModifiers());
            if (!can || method.isBridge() || method.getReturnType() == void.class || method.getDeclaringClass() == Object.class) {
                continue;
            }
            boolean is = name.startsWith("is") && name.length() > 2 && method.getReturnType() == boolean.class;
            if (is || name.startsWith("get") && name.length() > 3) {
                method.setAccessible(true);
                found.put(Binding.property(name.substring(is ? 2 : 3)), Binding.call(method, bean));
            }
        }
        for (Method component : Binding.components(bean.getClass())) {
            found.put(component.getName(), Binding.call(component, bean));
        }
        return found;
    }

    private void string(String text) {
        out.append('"');
        for (int at = 0; at < text.length(); at++) {
            char next = text.charAt(at);
            if (next == '"' || next == '\\') {
                out.append('\\').append(next);
            } else if (next < ' ' || Character.isSurrogate(next) && !paired(text, at)) {
                out.append(String.format("\\u%04x", (int) next));
            } else {
                out.append(next);
            }
        }
        out.append('"');
    }

    private static boolean paired(String text, int at) {
        return Character.isHighSurrogate(text.charAt(at))
            ? at + 1 < text.length() && Character.isLowSurrogate(text.charAt(at + 1))
            : at > 0 && Character.isHighSurrogate(text.charAt(at - 1));
    }
}
