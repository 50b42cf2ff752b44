package mayfly;

import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Makes the type that a handler takes of what JSON said. Beans have a constructor without parameters; properties are
 * found without regard to case, because events name theirs as "Records" and "eventSourceARN". What a bean has no
 * property for is left out.
 */
final class Binding {
    private Binding() {}

    static Object bind(Object value, Type type, Map<TypeVariable<?>, Type> known) throws ReflectiveOperationException {
        Type wanted = resolved(type, known);
        Type[] arguments = wanted instanceof ParameterizedType ? ((ParameterizedType) wanted).getActualTypeArguments() : new Type[0];
        Class<?> raw = raw(wanted, known);
        if (value == null) {
            return raw == Optional.class ? Optional.empty() : raw.isPrimitive() ? Array.get(Array.newInstance(raw, 1), 0) : null;
        }
        if (raw == Object.class) {
            return value;
        }
        if (raw == Optional.class) {
            return Optional.of(bind(value, argument(arguments, 0), known));
        }
        if (value instanceof List && (raw.isArray() || Collection.class.isAssignableFrom(raw) || raw == Iterable.class)) {
            return items((List<?>) value, wanted, raw, arguments, known);
        }
        if (value instanceof Map && Map.class.isAssignableFrom(raw)) {
            return map((Map<?, ?>) value, raw, arguments, known);
        }
        Object plain = value instanceof Map || value instanceof List ? null : scalar(value, raw);
        if (plain != null) {
            return plain;
        }
        if (value instanceof Map && !raw.getName().startsWith("java.") && !raw.isPrimitive() && !raw.isEnum()) {
            return bean((Map<?, ?>) value, wanted, raw, known);
        }
        throw new IllegalArgumentException("Cannot deserialize value of type `" + raw.getName() + "` from " + kind(value));
    }

    private static String kind(Object value) {
        return value instanceof Map ? "Object value" : value instanceof List ? "Array value" : value.getClass().getSimpleName() + " value";
    }

    private static Object items(List<?> value, Type wanted, Class<?> raw, Type[] arguments, Map<TypeVariable<?>, Type> known)
        throws ReflectiveOperationException {
        if (raw.isArray()) {
            Type each = wanted instanceof GenericArrayType ? ((GenericArrayType) wanted).getGenericComponentType() : raw.getComponentType();
            Object array = Array.newInstance(raw.getComponentType(), value.size());
            for (int at = 0; at < value.size(); at++) {
                Array.set(array, at, bind(value.get(at), each, known));
            }
            return array;
        }
        Collection<Object> made = Set.class.isAssignableFrom(raw) ? new LinkedHashSet<>() : new ArrayList<>();
        if (!raw.isInstance(made)) {
            made = fresh(raw);
        }
        for (Object item : value) {
            made.add(bind(item, argument(arguments, 0), known));
        }
        return made;
    }

    private static Object map(Map<?, ?> value, Class<?> raw, Type[] arguments, Map<TypeVariable<?>, Type> known)
        throws ReflectiveOperationException {
        Map<Object, Object> made = raw.isInstance(value) ? new LinkedHashMap<>() : fresh(raw);
        for (Map.Entry<?, ?> member : value.entrySet()) {
            Object key = arguments.length == 2 ? bind(member.getKey(), arguments[0], known) : member.getKey();
            made.put(key, bind(member.getValue(), argument(arguments, 1), known));
        }
        return made;
    }

    @SuppressWarnings("unchecked")
    private static <T> T fresh(Class<?> raw) throws ReflectiveOperationException {
        Constructor<?> constructor = raw.getDeclaredConstructor();
        if (!raw.getName().startsWith("java.")) {
            constructor.setAccessible(true);
        }
        return (T) constructor.newInstance();
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static Object scalar(Object value, Class<?> raw) {
        String text = value.toString();
        if (raw.isInstance(value)) {
            return value;
        } else if (raw == String.class || raw == CharSequence.class) {
            return text;
        } else if (raw == boolean.class || raw == Boolean.class) {
            return value instanceof Boolean ? value : "true".equals(text) || "false".equals(text) ? Boolean.valueOf(text) : null;
        } else if (raw.isEnum()) {
            return Enum.valueOf((Class) raw, text);
        } else if (raw == char.class || raw == Character.class) {
            return text.length() == 1 ? text.charAt(0) : null;
        } else if (raw == Instant.class) {
            return Instant.parse(text);
        } else if (raw == Date.class) {
            return value instanceof Number ? new Date(((Number) value).longValue()) : Date.from(Instant.parse(text));
        } else if (raw == ByteBuffer.class) {
            return ByteBuffer.wrap(Base64.getDecoder().decode(text));
        } else if (raw == byte[].class) {
            return Base64.getDecoder().decode(text);
        } else if (value instanceof Boolean) {
            return null;
        }
        return raw.isPrimitive() || Number.class.isAssignableFrom(raw) ? number(new BigDecimal(text), raw) : null;
    }

    private static Object number(BigDecimal value, Class<?> raw) {
        if (raw == int.class || raw == Integer.class) {
            return value.toBigInteger().intValueExact();
        } else if (raw == long.class || raw == Long.class) {
            return value.toBigInteger().longValueExact();
        } else if (raw == short.class || raw == Short.class) {
            return value.toBigInteger().shortValueExact();
        } else if (raw == byte.class || raw == Byte.class) {
            return value.toBigInteger().byteValueExact();
        } else if (raw == double.class || raw == Double.class) {
            return value.doubleValue();
        } else if (raw == float.class || raw == Float.class) {
            return value.floatValue();
        } else if (raw == BigInteger.class) {
            return value.toBigInteger();
        }
        return raw == BigDecimal.class ? value : null;
    }

    private static Object bean(Map<?, ?> value, Type wanted, Class<?> raw, Map<TypeVariable<?>, Type> outer)
        throws ReflectiveOperationException {
        Map<TypeVariable<?>, Type> known = new HashMap<>(outer);
        learn(wanted, known);
        Map<String, Object> members = new HashMap<>();
        value.forEach((name, member) -> members.put(name.toString().toLowerCase(java.util.Locale.ROOT), member));
        List<Method> components = components(raw);
        if (!components.isEmpty()) {
            return record(members, raw, components, known);
        }
        Object bean = fresh(raw);
        for (Field field : raw.getFields()) {
            String name = field.getName().toLowerCase(java.util.Locale.ROOT);
            if (members.containsKey(name) && (field.getModifiers() & (Modifier.STATIC | Modifier.FINAL)) == 0) {
                field.setAccessible(true);
                field.set(bean, bind(members.get(name), field.getGenericType(), known));
            }
        }
        for (Method method : raw.getMethods()) {
            String name = method.getName().toLowerCase(java.util.Locale.ROOT);
            if (name.startsWith("set") && method.getParameterCount() == 1 && !method.isBridge() && members.containsKey(name.substring(3))) {
                method.setAccessible(true);
                call(method, bean, bind(members.get(name.substring(3)), method.getGenericParameterTypes()[0], known));
            }
        }
        return bean;
    }

    private static Object record(Map<String, Object> members, Class<?> raw, List<Method> components, Map<TypeVariable<?>, Type> known)
        throws ReflectiveOperationException {
        Class<?>[] types = components.stream().map(Method::getReturnType).toArray(Class<?>[]::new);
        Object[] given = new Object[types.length];
        for (int at = 0; at < given.length; at++) {
            Method component = components.get(at);
            given[at] = bind(members.get(component.getName().toLowerCase(java.util.Locale.ROOT)), component.getGenericReturnType(), known);
        }
        Constructor<?> constructor = raw.getDeclaredConstructor(types);
        constructor.setAccessible(true);
        return constructor.newInstance(given);
    }

    /** Of a record, in order; the library of Java 11 knows no records. */
    static List<Method> components(Class<?> raw) throws ReflectiveOperationException {
        List<Method> found = new ArrayList<>();
        if (raw.getSuperclass() != null && raw.getSuperclass().getName().equals("java.lang.Record")) {
            for (Object component : (Object[]) Class.class.getMethod("getRecordComponents").invoke(raw)) {
                Method accessor = (Method) component.getClass().getMethod("getAccessor").invoke(component);
                accessor.setAccessible(true);
                found.add(accessor);
            }
        }
        return found;
    }

    /** What a method throws, and no wrapping of it. */
    static Object call(Method method, Object on, Object... arguments) throws ReflectiveOperationException {
        try {
            return method.invoke(on, arguments);
        } catch (InvocationTargetException thrown) {
            throw Failures.<RuntimeException>anyway(thrown.getCause());
        }
    }

    static String property(String name) {
        boolean shouts = name.length() > 1 && Character.isUpperCase(name.charAt(1));
        return shouts ? name : Character.toLowerCase(name.charAt(0)) + name.substring(1);
    }

    /** What the type variables of a type and of all that it extends stand for. */
    static void learn(Type type, Map<TypeVariable<?>, Type> known) {
        if (type instanceof ParameterizedType) {
            TypeVariable<?>[] variables = ((Class<?>) ((ParameterizedType) type).getRawType()).getTypeParameters();
            Type[] arguments = ((ParameterizedType) type).getActualTypeArguments();
            for (int at = 0; at < variables.length; at++) {
                known.put(variables[at], resolved(arguments[at], known));
            }
        }
        Class<?> raw = type == null ? null : raw(type, known);
        if (raw != null && raw != Object.class) {
            learn(raw.getGenericSuperclass(), known);
            for (Type one : raw.getGenericInterfaces()) {
                learn(one, known);
            }
        }
    }

    private static Type argument(Type[] arguments, int which) {
        return which < arguments.length ? arguments[which] : Object.class;
    }

    private static Type resolved(Type type, Map<TypeVariable<?>, Type> known) {
        for (int steps = 0; steps < 16; steps++) {
            if (type instanceof TypeVariable) {
                type = known.getOrDefault(type, Object.class);
            } else if (type instanceof WildcardType) {
                type = ((WildcardType) type).getUpperBounds()[0];
            } else {
                return type;
            }
        }
        return Object.class;
    }

    private static Class<?> raw(Type type, Map<TypeVariable<?>, Type> known) {
        Type found = resolved(type, known);
        if (found instanceof ParameterizedType) {
            return (Class<?>) ((ParameterizedType) found).getRawType();
        }
        if (found instanceof GenericArrayType) {
            return Array.newInstance(raw(((GenericArrayType) found).getGenericComponentType(), known), 0).getClass();
        }
        return (Class<?>) found;
    }
}
