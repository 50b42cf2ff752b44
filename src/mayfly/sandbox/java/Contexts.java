package mayfly;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** The objects that a handler is given beside its event, as whatever version of the interfaces the package brings. */
final class Contexts {
    static final String PACKAGE = "com.amazonaws.services.lambda.runtime.";

    private Contexts() {}

    static Object of(RuntimeApi.Call call, Map<String, String> environment) {
        return proxy("Context", (self, method, arguments) -> {
            switch (method.getName()) {
                case "getAwsRequestId":
                    return call.id();
                case "getLogGroupName":
                    return environment.get("AWS_LAMBDA_LOG_GROUP_NAME");
                case "getLogStreamName":
                    return environment.get("AWS_LAMBDA_LOG_STREAM_NAME");
                case "getFunctionName":
                    return environment.get("AWS_LAMBDA_FUNCTION_NAME");
                case "getFunctionVersion":
                    return environment.get("AWS_LAMBDA_FUNCTION_VERSION");
                case "getInvokedFunctionArn":
                    return call.header("Lambda-Runtime-Invoked-Function-Arn");
                case "getRemainingTimeInMillis":
                    return (int) Math.max(0, Long.parseLong(call.header("Lambda-Runtime-Deadline-Ms")) - System.currentTimeMillis());
                case "getMemoryLimitInMB":
                    return Integer.parseInt(environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"));
                case "getTenantId":
                    return call.header("Lambda-Runtime-Aws-Tenant-Id");
                case "getXrayTraceId":
                    return call.header("Lambda-Runtime-Trace-Id");
                case "getLogger":
                    return logger();
                case "getIdentity":
                    return identity(call.header("Lambda-Runtime-Cognito-Identity"));
                case "getClientContext":
                    return client(call.header("Lambda-Runtime-Client-Context"));
                default:
                    return usual(self, method.getName(), arguments);
            }
        });
    }

    private static Object logger() {
        return proxy("LambdaLogger", (self, method, arguments) -> {
            if (!method.getName().equals("log")) {
                return usual(self, method.getName(), arguments);
            }
            Object said = arguments[0];
            String text = said instanceof byte[] ? new String((byte[]) said, StandardCharsets.UTF_8) : String.valueOf(said);
            System.out.print(text.endsWith("\n") ? text : text + "\n");
            System.out.flush();
            return null;
        });
    }

    private static Object identity(String json) {
        Map<?, ?> given = json == null || json.isEmpty() ? Map.of() : (Map<?, ?>) Json.read(json);
        return proxy("CognitoIdentity", (self, method, arguments) -> {
            switch (method.getName()) {
                case "getIdentityId":
                    return given.get("cognitoIdentityId");
                case "getIdentityPoolId":
                    return given.get("cognitoIdentityPoolId");
                default:
                    return usual(self, method.getName(), arguments);
            }
        });
    }

    private static Object client(String json) {
        if (json == null || json.isEmpty()) {
            return null;
        }
        Map<?, ?> given = (Map<?, ?>) Json.read(json);
        return proxy("ClientContext", (self, method, arguments) -> {
            switch (method.getName()) {
                case "getCustom":
                    return given.get("custom");
                case "getEnvironment":
                    return given.get("env");
                case "getClient":
                    return device((Map<?, ?>) given.get("client"));
                default:
                    return usual(self, method.getName(), arguments);
            }
        });
    }

    private static Object device(Map<?, ?> given) {
        return given == null ? null : proxy("Client", (self, method, arguments) -> {
            String name = method.getName();
            return name.startsWith("get") ? given.get(Handler.snake(name.substring(3))) : usual(self, name, arguments);
        });
    }

    private static Object usual(Object self, String name, Object[] arguments) {
        switch (name) {
            case "toString":
                return "mayfly.Contexts";
            case "hashCode":
                return System.identityHashCode(self);
            case "equals":
                return self == arguments[0];
            default:
                return null;
        }
    }

    private static Object proxy(String name, InvocationHandler handler) {
        try {
            Class<?> type = Class.forName(PACKAGE + name);
            return Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler);
        } catch (ClassNotFoundException absent) {
            return null; // then nothing in the package can take one
        }
    }
}
