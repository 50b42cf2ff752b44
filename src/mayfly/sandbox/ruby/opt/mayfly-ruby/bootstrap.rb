# frozen_string_literal: true

# The managed Ruby runtime: loads a function's handler, and answers its calls over AWS's Runtime API.
#
# It is started as a program, by the Ruby that serves the function, and needs nothing but the standard library.
# What it says of errors is what functions of Ruby hear on AWS.

require 'json'
require 'socket'
require 'stringio'

Encoding.default_external = Encoding::UTF_8
$stdout.sync = true
$stderr.sync = true

# What a handler is told of its call, under the name that it has on AWS.
class LambdaContext
  attr_reader :aws_request_id, :invoked_function_arn, :deadline_ms, :identity, :client_context,
              :function_name, :function_version, :memory_limit_in_mb, :log_group_name, :log_stream_name,
              :tenant_id

  def initialize(headers)
    @aws_request_id = headers['lambda-runtime-aws-request-id']
    @invoked_function_arn = headers['lambda-runtime-invoked-function-arn']
    @deadline_ms = headers['lambda-runtime-deadline-ms'].to_i
    @identity = parsed(headers['lambda-runtime-cognito-identity'])
    @client_context = parsed(headers['lambda-runtime-client-context'])
    @tenant_id = headers['lambda-runtime-aws-tenant-id']
    @function_name = ENV['AWS_LAMBDA_FUNCTION_NAME']
    @function_version = ENV['AWS_LAMBDA_FUNCTION_VERSION']
    @memory_limit_in_mb = ENV['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']
    @log_group_name = ENV['AWS_LAMBDA_LOG_GROUP_NAME']
    @log_stream_name = ENV['AWS_LAMBDA_LOG_STREAM_NAME']
  end

  def get_remaining_time_in_millis
    [@deadline_ms - Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond), 0].max
  end

  private

  def parsed(text)
    JSON.parse(text) unless text.nil? || text.empty?
  end
end

module MayflyRuntime
  # One connection to the Runtime API, kept open.
  class Api
    Reply = Struct.new(:status, :headers, :body)
    class Gone < StandardError; end

    def initialize(address)
      host, port = address.split(':')
      @socket = TCPSocket.new(host, port.to_i)
      @socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
      @host = address
    end

    def next_call
      reply = exchange('GET', 'invocation/next')
      raise Gone, "the Runtime API answered #{reply.status}" unless reply.status == 200

      reply
    end

    def respond(id, body, type)
      exchange('POST', "invocation/#{id}/response", body, 'Content-Type' => type)
    end

    def fail_call(id, error)
      post_error("invocation/#{id}/error", error)
    end

    def fail_init(error)
      post_error('init/error', error)
    end

    private

    def post_error(path, error)
      kind = { 'Content-Type' => 'application/json', 'Lambda-Runtime-Function-Error-Type' => error[:errorType] }
      exchange('POST', path, JSON.generate(error), kind)
    end

    def exchange(method, path, body = nil, headers = {})
      body = (body || '').b
      lines = ["#{method} /2018-06-01/runtime/#{path} HTTP/1.1", "Host: #{@host}", "Content-Length: #{body.bytesize}"]
      headers.each { |name, value| lines << "#{name}: #{value.delete("\r\n")}" }
      @socket.write("#{lines.join("\r\n")}\r\n\r\n".b, body)
      read_reply
    rescue SystemCallError, EOFError => e
      raise Gone, e.message
    end

    def read_reply
      status = line.split(' ', 3)[1].to_i
      headers = {}
      until (text = line).empty?
        name, value = text.split(':', 2)
        headers[name.downcase] = value.strip.force_encoding(Encoding::UTF_8)
      end
      length = headers.fetch('content-length', '0').to_i
      body = length.zero? ? +'' : @socket.read(length)
      raise EOFError, 'the answer is cut off' if body.nil? || body.bytesize < length

      Reply.new(status, headers, body.force_encoding(Encoding::UTF_8))
    end

    def line
      @socket.readline("\r\n", chomp: true)
    end
  end

  # The method that a function's handler names.
  class Handler
    FORM = 'must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD: FILENAME.rb is a file of the package, CLASS a ' \
           'module or class in it, and METHOD a method; of CLASS, if there is one'

    def initialize(name)
      @name = name
      parts = name.split('.')
      raise ArgumentError, "Invalid handler #{name}, #{FORM}" unless [2, 3].include?(parts.size) && parts.none?(&:empty?)

      @file = parts.first
      @owner = parts[1] if parts.size == 3
      @method = parts.last
    end

    # Load the file, the package's own before any other of that name.
    def load(root)
      own = File.join(root, @file)
      require(File.file?("#{own}.rb") ? own : @file)
    end

    def call(event, context)
      receiver = @owner ? Object.const_get(@owner) : TOPLEVEL_BINDING.receiver
      receiver.__send__(@method, event: event, context: context)
    end
  end

  # What is told of an error, and whether the process may go on after it.
  module Failures
    MOST_LINES = 100

    def self.describe(error, where)
      trace = (error.backtrace || []).take_while { |line| !line.start_with?(__FILE__) }
      trace = trace.reject { |line| line.start_with?('<internal:') }.first(MOST_LINES)
      { errorMessage: clean(error.message), errorType: "#{where}<#{error.class}>", stackTrace: trace.map { |line| clean(line) } }
    end

    # On AWS, too, a misspelt name is no mistake of a single call.
    def self.fatal?(error)
      error.is_a?(NameError) || !error.is_a?(StandardError)
    end

    def self.log(title, description)
      $stderr.write("#{title}\n#{JSON.pretty_generate(description)}\n")
    end

    def self.clean(text)
      text.dup.force_encoding(Encoding::UTF_8).scrub
    end
  end

  # Calls, one after the other, until the end.
  class Loop
    INIT_FAILED = 252
    HANDLER_FAILED = 255

    def initialize(api, root, name)
      @api = api
      @root = root
      @name = name
    end

    def run
      handler = load_handler
      loop { serve(handler, wait) }
    rescue Api::Gone => e
      warn("the Ruby runtime ends: #{e.message}")
      exit(1)
    end

    private

    def load_handler
      handler = Handler.new(@name)
      handler.load(@root)
      handler
    rescue Exception => e # rubocop:disable Lint/RescueException (whatever a function's file raises)
      description = Failures.describe(e, 'Init')
      Failures.log("Init error when loading handler #{@name}", description)
      @api.fail_init(description)
      exit(INIT_FAILED)
    end

    def wait
      @api.next_call
    rescue SignalException
      exit(0)
    end

    def serve(handler, call)
      id = call.headers['lambda-runtime-aws-request-id']
      begin
        ENV['_X_AMZN_TRACE_ID'] = call.headers['lambda-runtime-trace-id']
        answer, type = encode(handler.call(decode(call), LambdaContext.new(call.headers)))
      rescue Exception => e # rubocop:disable Lint/RescueException (whatever a handler raises)
        fail_call(id, e)
      else
        @api.respond(id, answer, type)
      end
    end

    def fail_call(id, error)
      fatal = Failures.fatal?(error)
      description = Failures.describe(error, 'Function')
      Failures.log(fatal ? 'Critical exception from handler' : 'Error raised from handler method', description)
      @api.fail_call(id, description)
      exit(HANDLER_FAILED) if fatal
    end

    def decode(call)
      JSON.parse(call.body)
    end

    def encode(answer)
      case answer
      when StringIO, IO then [answer.read, 'application/unknown']
      else [answer.to_json, 'application/json']
      end
    end
  end

  # Have gems and files of the package and of layers found: those of the identifier's version, and of the one that runs.
  def self.look_in(root)
    named = ENV['AWS_EXECUTION_ENV'].to_s[/ruby(\d+\.\d+)\z/, 1]
    versions = [named && "#{named}.0", RbConfig::CONFIG['ruby_version']].compact.uniq
    ENV['GEM_PATH'] ||= versions.flat_map { |one| ["#{root}/vendor/bundle/ruby/#{one}", "/opt/ruby/gems/#{one}"] }.join(':')
    ENV['RUBYLIB'] ||= "#{root}:/opt/ruby/lib"
    Gem.clear_paths if defined?(Gem)
    $LOAD_PATH.unshift(*(ENV['RUBYLIB'].split(':') - $LOAD_PATH))
  end

  def self.main
    root = ENV.fetch('LAMBDA_TASK_ROOT')
    look_in(root)
    Loop.new(Api.new(ENV.fetch('AWS_LAMBDA_RUNTIME_API')), root, ENV.fetch('_HANDLER')).run
  end
end

MayflyRuntime.main
