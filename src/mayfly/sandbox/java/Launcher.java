package mayfly;

import java.nio.charset.StandardCharsets;
import java.util.Map;

/** Runs a function: asks the Runtime API for calls, one after the other, and answers them by its handler. */
public final class Launcher {
    private Launcher() {}

    public static void main(String[] arguments) throws Exception {
        Map<String, String> environment = System.getenv();
        RuntimeApi api = new RuntimeApi(environment.get("AWS_LAMBDA_RUNTIME_API"));
        Handler handler;
        try {
            handler = Handler.load(environment.get("_HANDLER"));
        } catch (Throwable thrown) {
            fail(api, null, thrown);
            System.exit(1);
            return;
        }
        while (true) {
            RuntimeApi.Call call = api.next();
            String trace = call.header("Lambda-Runtime-Trace-Id");
            if (trace != null) {
                System.setProperty("com.amazonaws.xray.traceHeader", trace);
            }
            byte[] answer;
            try {
                answer = handler.call(call, environment);
            } catch (Throwable thrown) {
                fail(api, call.id(), thrown);
                if (thrown instanceof VirtualMachineError) {
                    System.exit(1); // nothing is sure after it
                }
                continue;
            }
            System.out.flush();
            api.respond(call.id(), answer);
        }
    }

    private static void fail(RuntimeApi api, String id, Throwable thrown) throws Exception {
        Failures.print(thrown);
        String told = Writer.write(Failures.told(thrown));
        api.fail(id, thrown.getClass().getName(), told.getBytes(StandardCharsets.UTF_8));
    }
}
