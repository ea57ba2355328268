// A libcuda.so.1 for machines without a GPU: the part of the driver API that
// kernels/cuda/driver and gorgonia.org/cu use, with kernels run by block.h.
//
// DEEPPRUNE_CUDA_SEED makes the order of threads and blocks, and defers what streams are
// told until something waits for it. One lock guards everything.
#include "stream.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <set>
#include <string>

namespace dp::host {

void describe_fault();

namespace {

struct Driver {
	std::mutex lock;
	Memory memory;
	Trace trace{memory};
	std::map<uintptr_t, size_t> pinned;
	std::set<Stream*> streams;
	std::map<std::string, Function> functions;
	Stream legacy{{}, true, nullptr, false};
	bool deferring = false;
	int captures = 0, retained = 0;

	Driver() {
		const char* s = getenv("DEEPPRUNE_CUDA_SEED");
		uint64_t number = s ? strtoull(s, nullptr, 10) : 0;
		seed(number + 1);
		deferring = number != 0;
		streams.insert(&legacy);
	}
};

// It is never destroyed: threads of Go may call while the program ends.
Driver& driver() {
	static Driver* d = new Driver;
	return *d;
}

struct Locked : std::lock_guard<std::mutex> {
	Locked() : std::lock_guard<std::mutex>(driver().lock) {}
};

// A fault in a kernel is told with the kernel's name before the program's own handler sees it.
struct sigaction previous[2];

void fault(int number, siginfo_t* info, void* context) {
	if (current) {
		fprintf(stderr, "a kernel touched memory at %p, which is no allocation's\n\tin ", info->si_addr);
		describe_fault();
		abort();
	}
	const struct sigaction& other = previous[number == SIGBUS];
	if (other.sa_flags & SA_SIGINFO) other.sa_sigaction(number, info, context);
	else signal(number, SIG_DFL);
}

void watch_faults() {
	struct sigaction action {};
	action.sa_sigaction = fault;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
	sigfillset(&action.sa_mask);
	sigaction(SIGSEGV, &action, &previous[0]);
	sigaction(SIGBUS, &action, &previous[1]);
}

double now() {
	timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

void step(Stream& s);

void execute(Operation& o) {
	void* to = reinterpret_cast<void*>(o.to);
	switch (o.kind) {
	case Operation::launch: {
		void* arguments[64];
		for (size_t i = 0; i < o.arguments.size(); i++) arguments[i] = &o.arguments[i];
		Launch launch{o.kernel, o.grid, o.block, o.shared, arguments};
		bool traced = driver().trace.before(launch);
		run(launch);
		if (traced) driver().trace.after();
		break;
	}
	case Operation::copy:
		memmove(to, o.data ? o.data->data() : reinterpret_cast<void*>(o.from), o.bytes);
		break;
	case Operation::fill8:
		memset(to, o.value, o.bytes);
		break;
	case Operation::fill32:
		for (size_t i = 0; i < o.bytes; i += 4) memcpy(static_cast<char*>(to) + i, &o.value, 4);
		break;
	case Operation::record:
		if (o.event->reached < o.ticket) o.event->reached = o.ticket;
		o.event->seconds = now();
		break;
	case Operation::wait:
		while (o.event->reached < o.ticket) step(*o.event->by);
		break;
	}
}

void step(Stream& s) {
	Operation o = std::move(s.queue.front());
	s.queue.pop_front();
	execute(o);
}

void drain(Stream& s) {
	while (!s.queue.empty()) {
		// Streams that nobody waits for may get on as well.
		if (driver().deferring && draw() % 4 == 0) {
			size_t n = draw() % driver().streams.size();
			Stream& other = **std::next(driver().streams.begin(), n);
			if (!other.queue.empty()) {
				step(other);
				continue;
			}
		}
		step(s);
	}
}

void drain_all() {
	for (Stream* s : driver().streams) drain(*s);
}

// What the legacy stream does waits for the blocking streams.
void drain_blocking() {
	for (Stream* s : driver().streams)
		if (s->blocking) drain(*s);
}

Stream& stream(CUstream s) {
	if (s == nullptr || s == CU_STREAM_LEGACY || s == CU_STREAM_PER_THREAD) return driver().legacy;
	return *reinterpret_cast<Stream*>(s);
}

CUresult enqueue(CUstream handle, Operation o) {
	Stream& s = stream(handle);
	if (s.capture) {
		s.capture->operations.push_back(std::move(o));
		return CUDA_SUCCESS;
	}
	s.queue.push_back(std::move(o));
	if (!driver().deferring || s.queue.size() > 4096) drain(s);
	return CUDA_SUCCESS;
}

// forbidden invalidates captures by what must not happen meanwhile.
bool forbidden() {
	for (Stream* s : driver().streams)
		if (s->capture) s->invalid = true;
	return driver().captures > 0;
}

bool is_pinned(const void* at, size_t bytes) {
	auto address = reinterpret_cast<uintptr_t>(at);
	auto after = driver().pinned.upper_bound(address);
	if (after == driver().pinned.begin()) return false;
	auto p = std::prev(after);
	return address + bytes <= p->first + p->second;
}

bool on_device(CUdeviceptr at, size_t bytes) {
	if (driver().memory.holds(at, bytes)) return true;
	fprintf(stderr, "%zu bytes at %#llx are no allocation's\n", bytes, at);
	return false;
}

template <typename T>
T handle(void* p) { return static_cast<T>(p); }

}  // namespace
}  // namespace dp::host

using namespace dp::host;

#define API extern "C" __attribute__((visibility("default"))) CUresult CUDAAPI
#define CHECK(condition, code) if (!(condition)) return code

API cuInit(unsigned) {
	static bool once = (watch_faults(), true);
	(void)once;
	driver();
	return CUDA_SUCCESS;
}

API cuDriverGetVersion(int* version) { return *version = 12080, CUDA_SUCCESS; }
API cuDeviceGetCount(int* count) { return *count = 1, CUDA_SUCCESS; }
API cuDeviceGet(CUdevice* device, int ordinal) {
	CHECK(ordinal == 0, CUDA_ERROR_INVALID_DEVICE);
	return *device = 0, CUDA_SUCCESS;
}
API cuDeviceGetName(char* name, int size, CUdevice) { return snprintf(name, size, "host (no GPU)"), CUDA_SUCCESS; }
API cuDeviceTotalMem(size_t* bytes, CUdevice) { return *bytes = driver().memory.total, CUDA_SUCCESS; }
API cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice) {
	switch (int(attribute)) {
	case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = 9; break;
	case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = 0; break;
	case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 4; break;
	case CU_DEVICE_ATTRIBUTE_WARP_SIZE: *value = 32; break;
	case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = max_threads; break;
	case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: *value = 48 << 10; break;
	case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *value = max_shared; break;
	case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: *value = 228 << 10; break;
	case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: *value = 2048; break;
	case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING: *value = 1; break;
	default: *value = 0;
	}
	return CUDA_SUCCESS;
}

// One context, the primary.
static int context;
static thread_local CUcontext current_context;
#undef cuDevicePrimaryCtxRelease
#undef cuDevicePrimaryCtxReset
API cuDevicePrimaryCtxRetain(CUcontext* c, CUdevice) {
	Locked locked;
	driver().retained++;
	return *c = handle<CUcontext>(&context), CUDA_SUCCESS;
}
API cuDevicePrimaryCtxRelease_v2(CUdevice) {
	Locked locked;
	Driver& d = driver();
	CHECK(d.retained > 0, CUDA_ERROR_INVALID_CONTEXT);
	if (--d.retained > 0) return CUDA_SUCCESS;
	drain_all();
	while (!d.memory.allocations().empty()) d.memory.release(d.memory.allocations().begin()->first);
	for (auto p : d.pinned) free(reinterpret_cast<void*>(p.first));
	d.pinned.clear();
	for (Stream* s : d.streams)
		if (s != &d.legacy) delete s;
	d.streams = {&d.legacy};
	d.captures = 0;
	return CUDA_SUCCESS;
}
API cuCtxSetCurrent(CUcontext c) { return current_context = c, CUDA_SUCCESS; }
API cuCtxGetCurrent(CUcontext* c) { return *c = current_context, CUDA_SUCCESS; }
API cuCtxGetDevice(CUdevice* device) { return *device = 0, CUDA_SUCCESS; }
API cuCtxSynchronize() {
	Locked locked;
	CHECK(!forbidden(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
	drain_all();
	return CUDA_SUCCESS;
}

// The code of a module does not matter: kernels are those of this library.
API cuModuleLoadData(CUmodule* module, const void* image) {
	CHECK(image, CUDA_ERROR_INVALID_VALUE);
	return *module = handle<CUmodule>(&context), CUDA_SUCCESS;
}
API cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned, CUjit_option*, void**) { return cuModuleLoadData(module, image); }
API cuModuleUnload(CUmodule) { return CUDA_SUCCESS; }
API cuModuleGetFunction(CUfunction* function, CUmodule, const char* name) {
	Locked locked;
	const Kernel* kernel = find(name);
	CHECK(kernel, CUDA_ERROR_NOT_FOUND);
	Function& f = driver().functions[name];
	f.kernel = kernel;
	return *function = handle<CUfunction>(&f), CUDA_SUCCESS;
}
API cuFuncGetAttribute(int* value, CUfunction_attribute attribute, CUfunction f) {
	auto& function = *reinterpret_cast<Function*>(f);
	switch (int(attribute)) {
	case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = function.kernel->threads; break;
	case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *value = function.shared_limit; break;
	case CU_FUNC_ATTRIBUTE_NUM_REGS: *value = 65536 / function.kernel->threads < 255 ? 65536 / function.kernel->threads : 255; break;
	default: *value = 0;
	}
	return CUDA_SUCCESS;
}
API cuFuncSetAttribute(CUfunction f, CUfunction_attribute attribute, int value) {
	Locked locked;
	if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) return CUDA_SUCCESS;
	CHECK(value >= 0 && size_t(value) <= max_shared, CUDA_ERROR_INVALID_VALUE);
	reinterpret_cast<Function*>(f)->shared_limit = value;
	return CUDA_SUCCESS;
}
API cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction, int threads, size_t shared) {
	int by_threads = 2048 / threads, by_shared = shared ? int((228 << 10) / (shared + 1024)) : 32;
	*blocks = by_threads < by_shared ? by_threads : by_shared;
	return CUDA_SUCCESS;
}

API cuMemGetInfo(size_t* free, size_t* total) {
	Locked locked;
	*total = driver().memory.total;
	*free = *total - driver().memory.used;
	return CUDA_SUCCESS;
}
API cuMemAlloc(CUdeviceptr* at, size_t bytes) {
	Locked locked;
	CHECK(!forbidden(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
	CHECK(bytes, CUDA_ERROR_INVALID_VALUE);
	*at = driver().memory.allocate(bytes);
	return *at ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}
API cuMemFree(CUdeviceptr at) {
	Locked locked;
	CHECK(!forbidden(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
	drain_all();  // as the driver does
	return at == 0 || driver().memory.release(at) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
API cuMemHostAlloc(void** at, size_t bytes, unsigned) {
	Locked locked;
	*at = aligned_alloc(4096, (bytes + 4095) & ~size_t(4095));
	CHECK(*at, CUDA_ERROR_OUT_OF_MEMORY);
	memset(*at, 0xff, bytes);
	driver().pinned[reinterpret_cast<uintptr_t>(*at)] = bytes;
	return CUDA_SUCCESS;
}
API cuMemAllocHost(void** at, size_t bytes) { return cuMemHostAlloc(at, bytes, 0); }
API cuMemFreeHost(void* at) {
	Locked locked;
	drain_all();
	CHECK(driver().pinned.erase(reinterpret_cast<uintptr_t>(at)), CUDA_ERROR_INVALID_VALUE);
	free(at);
	return CUDA_SUCCESS;
}

// Memory of the host that is not pinned is read at once and written before the call returns.
API cuMemcpyHtoDAsync(CUdeviceptr to, const void* from, size_t bytes, CUstream s) {
	Locked locked;
	CHECK(on_device(to, bytes), CUDA_ERROR_INVALID_VALUE);
	Operation o{};
	o.kind = Operation::copy;
	o.to = to;
	o.from = reinterpret_cast<uintptr_t>(from);
	o.bytes = bytes;
	if (!is_pinned(from, bytes)) {
		CHECK(!stream(s).capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
		auto bytes_of = static_cast<const unsigned char*>(from);
		o.data = std::make_shared<std::vector<unsigned char>>(bytes_of, bytes_of + bytes);
	}
	return enqueue(s, std::move(o));
}
API cuMemcpyDtoHAsync(void* to, CUdeviceptr from, size_t bytes, CUstream s) {
	Locked locked;
	CHECK(on_device(from, bytes), CUDA_ERROR_INVALID_VALUE);
	bool later = is_pinned(to, bytes);
	CHECK(later || !stream(s).capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
	Operation o{};
	o.kind = Operation::copy;
	o.to = reinterpret_cast<uintptr_t>(to);
	o.from = from;
	o.bytes = bytes;
	CUresult r = enqueue(s, std::move(o));
	if (!later) drain(stream(s));
	return r;
}
API cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream s) {
	Locked locked;
	CHECK(on_device(to, bytes) && on_device(from, bytes), CUDA_ERROR_INVALID_VALUE);
	Operation o{};
	o.kind = Operation::copy;
	o.to = to;
	o.from = from;
	o.bytes = bytes;
	return enqueue(s, std::move(o));
}
API cuMemsetD8Async(CUdeviceptr at, unsigned char value, size_t bytes, CUstream s) {
	Locked locked;
	CHECK(on_device(at, bytes), CUDA_ERROR_INVALID_VALUE);
	Operation o{};
	o.kind = Operation::fill8;
	o.to = at;
	o.bytes = bytes;
	o.value = value;
	return enqueue(s, std::move(o));
}
API cuMemsetD32Async(CUdeviceptr at, unsigned value, size_t count, CUstream s) {
	Locked locked;
	CHECK(on_device(at, 4 * count), CUDA_ERROR_INVALID_VALUE);
	Operation o{};
	o.kind = Operation::fill32;
	o.to = at;
	o.bytes = 4 * count;
	o.value = value;
	return enqueue(s, std::move(o));
}
API cuMemcpyHtoD(CUdeviceptr to, const void* from, size_t bytes) {
	Locked locked;
	CHECK(!forbidden(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
	CHECK(on_device(to, bytes), CUDA_ERROR_INVALID_VALUE);
	drain_blocking();
	memcpy(reinterpret_cast<void*>(to), from, bytes);
	return CUDA_SUCCESS;
}
API cuMemcpyDtoH(void* to, CUdeviceptr from, size_t bytes) {
	Locked locked;
	CHECK(!forbidden(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
	CHECK(on_device(from, bytes), CUDA_ERROR_INVALID_VALUE);
	drain_blocking();
	memcpy(to, reinterpret_cast<void*>(from), bytes);
	return CUDA_SUCCESS;
}

API cuStreamCreate(CUstream* s, unsigned flags) {
	Locked locked;
	auto* made = new Stream{{}, !(flags & CU_STREAM_NON_BLOCKING), nullptr, false};
	driver().streams.insert(made);
	return *s = handle<CUstream>(made), CUDA_SUCCESS;
}
API cuStreamCreateWithPriority(CUstream* s, unsigned flags, int) { return cuStreamCreate(s, flags); }
API cuStreamDestroy(CUstream s) {
	Locked locked;
	drain(stream(s));
	driver().streams.erase(&stream(s));
	delete &stream(s);
	return CUDA_SUCCESS;
}
API cuStreamSynchronize(CUstream s) {
	Locked locked;
	if (stream(s).capture) return stream(s).invalid = true, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	drain(stream(s));
	return CUDA_SUCCESS;
}
API cuStreamQuery(CUstream s) {
	Locked locked;
	if (stream(s).queue.empty()) return CUDA_SUCCESS;
	step(stream(s));
	return CUDA_ERROR_NOT_READY;
}

API cuEventCreate(CUevent* e, unsigned flags) {
	auto* made = new Event;
	made->timed = !(flags & CU_EVENT_DISABLE_TIMING);
	return *e = handle<CUevent>(made), CUDA_SUCCESS;
}
// Operations that wait may still name the event, so it stays.
API cuEventDestroy(CUevent) { return CUDA_SUCCESS; }
API cuEventRecord(CUevent e, CUstream s) {
	Locked locked;
	auto& event = *reinterpret_cast<Event*>(e);
	Operation o{};
	o.kind = Operation::record;
	o.event = &event;
	if (!stream(s).capture) {
		o.ticket = ++event.recorded;
		event.by = &stream(s);
	}
	return enqueue(s, std::move(o));
}
API cuStreamWaitEvent(CUstream s, CUevent e, unsigned) {
	Locked locked;
	auto& event = *reinterpret_cast<Event*>(e);
	Operation o{};
	o.kind = Operation::wait;
	o.event = &event;
	o.ticket = event.recorded;
	return enqueue(s, std::move(o));
}
API cuEventSynchronize(CUevent e) {
	Locked locked;
	auto& event = *reinterpret_cast<Event*>(e);
	while (event.reached < event.recorded) step(*event.by);
	return CUDA_SUCCESS;
}
API cuEventQuery(CUevent e) {
	Locked locked;
	auto& event = *reinterpret_cast<Event*>(e);
	if (event.reached == event.recorded) return CUDA_SUCCESS;
	step(*event.by);
	return CUDA_ERROR_NOT_READY;
}
API cuEventElapsedTime(float* ms, CUevent from, CUevent to) {
	Locked locked;
	auto &a = *reinterpret_cast<Event*>(from), &b = *reinterpret_cast<Event*>(to);
	CHECK(a.timed && b.timed && a.recorded && b.recorded, CUDA_ERROR_INVALID_HANDLE);
	CHECK(a.reached == a.recorded && b.reached == b.recorded, CUDA_ERROR_NOT_READY);
	return *ms = float((b.seconds - a.seconds) * 1e3), CUDA_SUCCESS;
}

API cuLaunchKernel(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, CUstream s,
                   void** arguments, void**) {
	Locked locked;
	auto& function = *reinterpret_cast<Function*>(f);
	CHECK(f, CUDA_ERROR_INVALID_HANDLE);
	CHECK(gx && gy && gz && gx <= 0x7fffffff && gy <= 65535 && gz <= 65535, CUDA_ERROR_INVALID_VALUE);
	CHECK(bx && by && bz && bx <= 1024 && by <= 1024 && bz <= 64 && uint64_t(bx) * by * bz <= 1024, CUDA_ERROR_INVALID_VALUE);
	CHECK(int(bx * by * bz) <= function.kernel->threads, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
	CHECK(int(shared) <= function.shared_limit, CUDA_ERROR_INVALID_VALUE);
	Operation o{};
	o.kind = Operation::launch;
	o.kernel = function.kernel;
	o.grid = {gx, gy, gz};
	o.block = {bx, by, bz};
	o.shared = shared;
	o.arguments.resize(function.kernel->parameters);
	for (size_t i = 0; i < o.arguments.size(); i++) memcpy(&o.arguments[i], arguments[i], function.kernel->sizes[i]);
	return enqueue(s, std::move(o));
}

API cuStreamBeginCapture(CUstream s, CUstreamCaptureMode mode) {
	Locked locked;
	CHECK(s && !stream(s).capture, CUDA_ERROR_ILLEGAL_STATE);
	stream(s).capture = std::make_unique<Graph>();
	stream(s).invalid = false;
	stream(s).capturing = mode == CU_STREAM_CAPTURE_MODE_RELAXED ? std::thread::id() : std::this_thread::get_id();
	driver().captures++;
	return CUDA_SUCCESS;
}
API cuStreamEndCapture(CUstream s, CUgraph* graph) {
	Locked locked;
	CHECK(stream(s).capture, CUDA_ERROR_ILLEGAL_STATE);
	const std::thread::id by = stream(s).capturing;
	CHECK(by == std::thread::id() || by == std::this_thread::get_id(), CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
	driver().captures--;
	auto captured = std::move(stream(s).capture);
	*graph = nullptr;
	CHECK(!stream(s).invalid, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	return *graph = handle<CUgraph>(captured.release()), CUDA_SUCCESS;
}
API cuStreamIsCapturing(CUstream s, CUstreamCaptureStatus* status) {
	Locked locked;
	*status = stream(s).capture ? CU_STREAM_CAPTURE_STATUS_ACTIVE : CU_STREAM_CAPTURE_STATUS_NONE;
	return CUDA_SUCCESS;
}
API cuGraphInstantiateWithFlags(CUgraphExec* exec, CUgraph graph, unsigned long long) {
	return *exec = handle<CUgraphExec>(new Graph(*reinterpret_cast<Graph*>(graph))), CUDA_SUCCESS;
}
API cuGraphDestroy(CUgraph graph) { return delete reinterpret_cast<Graph*>(graph), CUDA_SUCCESS; }
API cuGraphExecDestroy(CUgraphExec exec) { return delete reinterpret_cast<Graph*>(exec), CUDA_SUCCESS; }
API cuGraphLaunch(CUgraphExec exec, CUstream s) {
	Locked locked;
	for (const Operation& o : reinterpret_cast<Graph*>(exec)->operations)
		if (CUresult r = enqueue(s, o); r != CUDA_SUCCESS) return r;
	return CUDA_SUCCESS;
}

static const std::map<int, std::pair<const char*, const char*>> errors = {
    {0, {"CUDA_SUCCESS", "no error"}},
    {1, {"CUDA_ERROR_INVALID_VALUE", "invalid argument"}},
    {2, {"CUDA_ERROR_OUT_OF_MEMORY", "out of memory"}},
    {101, {"CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"}},
    {201, {"CUDA_ERROR_INVALID_CONTEXT", "invalid device context"}},
    {400, {"CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"}},
    {401, {"CUDA_ERROR_ILLEGAL_STATE", "the operation cannot be performed in the present state"}},
    {500, {"CUDA_ERROR_NOT_FOUND", "named symbol not found"}},
    {600, {"CUDA_ERROR_NOT_READY", "device not ready"}},
    {701, {"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"}},
    {900, {"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"}},
    {901, {"CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"}},
    {908, {"CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD", "a capture was ended by another thread than began it"}},
};
API cuGetErrorString(CUresult code, const char** text) {
	auto e = errors.find(code);
	*text = e == errors.end() ? nullptr : e->second.second;
	return *text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
API cuGetErrorName(CUresult code, const char** text) {
	auto e = errors.find(code);
	*text = e == errors.end() ? nullptr : e->second.first;
	return *text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
