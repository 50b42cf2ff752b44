package mayfly;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What callers and the log are told of a throwable. */
final class Failures {
    private static final int CAUSES = 20;

    private Failures() {}

    static Map<String, Object> told(Throwable thrown) {
        return told(thrown, CAUSES);
    }

    private static Map<String, Object> told(Throwable thrown, int causes) {
        Map<String, Object> error = new LinkedHashMap<>();
        error.put("errorMessage", thrown.getLocalizedMessage());
        error.put("errorType", thrown.getClass().getName());
        error.put("stackTrace", lines(thrown));
        if (thrown.getCause() != null && causes > 0) {
            error.put("cause", told(thrown.getCause(), causes - 1));
        }
        return error;
    }

    /** Down to where the handler was called. */
    private static List<String> lines(Throwable thrown) {
        List<String> lines = new ArrayList<>();
        for (StackTraceElement frame : thrown.getStackTrace()) {
            String type = frame.getClassName();
            if (type.startsWith("mayfly.") || type.startsWith("jdk.internal.reflect.") || type.startsWith("java.lang.reflect.")) {
                break;
            }
            lines.add(frame.toString());
        }
        return lines;
    }

    static void print(Throwable thrown) {
        StringWriter trace = new StringWriter();
        thrown.printStackTrace(new PrintWriter(trace, true));
        System.out.println(thrown.getLocalizedMessage() + ": " + thrown.getClass().getName() + "\n" + trace.toString().stripTrailing());
        System.out.flush();
    }

    /** Throw what is checked where nothing is declared. */
    @SuppressWarnings("unchecked")
    static <T extends Throwable> RuntimeException anyway(Throwable thrown) throws T {
        throw (T) thrown;
    }
}
