package mayfly;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/** What a function's handler setting names: `package.Class::method`, or a class that has `handleRequest`. */
final class Handler {
    private final Object instance;
    private final Method method;
    private final Map<TypeVariable<?>, Type> known = new HashMap<>();

    private Handler(Object instance, Method method) {
        this.instance = instance;
        this.method = method;
    }

    static Handler load(String setting) throws Throwable {
        int colons = setting.indexOf("::");
        String name = colons < 0 ? setting : setting.substring(0, colons);
        Class<?> type;
        try {
            type = Class.forName(name);
        } catch (ClassNotFoundException absent) {
            throw new ClassNotFoundException("Class not found: " + name);
        }
        Method method = method(type, colons < 0 ? "handleRequest" : setting.substring(colons + 2));
        method.setAccessible(true);
        Handler handler = new Handler(Modifier.isStatic(method.getModifiers()) ? null : made(type), method);
        Binding.learn(type, handler.known);
        return handler;
    }

    private static Object made(Class<?> type) throws Throwable {
        try {
            Constructor<?> constructor = type.getConstructor();
            constructor.setAccessible(true);
            return constructor.newInstance();
        } catch (NoSuchMethodException absent) {
            throw new NoSuchMethodException("Class " + type.getName() + " has no public zero-argument constructor");
        } catch (InvocationTargetException thrown) {
            throw thrown.getCause();
        }
    }

    /** The one with the most parameters, and of these one that takes a context. */
    private static Method method(Class<?> type, String name) throws NoSuchMethodException {
        Method best = null;
        for (Method one : type.getMethods()) {
            if (one.getName().equals(name) && !one.isBridge() && (best == null || rank(one) > rank(best))) {
                best = one;
            }
        }
        if (best == null || best.getParameterCount() > (isStream(best) ? 3 : 2)) {
            throw new NoSuchMethodException(
                "No public method named " + name + " with appropriate method signature found on class " + type.getName());
        }
        return best;
    }

    private static int rank(Method method) {
        return 2 * method.getParameterCount() + (takesContext(method) ? 1 : 0);
    }

    private static boolean takesContext(Method method) {
        Class<?>[] types = method.getParameterTypes();
        return types.length > 0 && types[types.length - 1].getName().equals(Contexts.PACKAGE + "Context");
    }

    private static boolean isStream(Method method) {
        for (Class<?> type : method.getParameterTypes()) {
            if (type == OutputStream.class || type == InputStream.class) {
                return true;
            }
        }
        return false;
    }

    /** The answer to a call. */
    byte[] call(RuntimeApi.Call call, Map<String, String> environment) throws Throwable {
        Type[] types = method.getGenericParameterTypes();
        Object[] arguments = new Object[types.length];
        ByteArrayOutputStream written = null;
        for (int at = 0; at < types.length; at++) {
            if (types[at] == InputStream.class) {
                arguments[at] = new ByteArrayInputStream(call.event);
            } else if (types[at] == OutputStream.class) {
                arguments[at] = written = new ByteArrayOutputStream();
            } else if (at == types.length - 1 && takesContext(method)) {
                arguments[at] = Contexts.of(call, environment);
            } else {
                arguments[at] = bound(call.event, types[at]);
            }
        }
        try {
            Object answer = method.invoke(instance, arguments);
            return written != null ? written.toByteArray() : Writer.write(answer).getBytes(StandardCharsets.UTF_8);
        } catch (InvocationTargetException thrown) {
            throw thrown.getCause();
        }
    }

    private Object bound(byte[] event, Type type) throws Throwable {
        try {
            return Binding.bind(Json.read(new String(event, StandardCharsets.UTF_8)), type, known);
        } catch (IllegalArgumentException | ArithmeticException | java.time.DateTimeException unfit) {
            throw new RuntimeException("An error occurred during JSON parsing", unfit);
        }
    }

    static String snake(String name) {
        return Binding.property(name).replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
    }
}
