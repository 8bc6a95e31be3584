//! The module's allocator with a counter, for the test that pins how often a request allocates. Only with the feature
//! `count-allocations`: the module that ships has the plain one.

#![expect(unsafe_code, reason = "an allocator is")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

/// The allocator of the standard library, which is the module's own, and how often it was asked for memory.
struct Counting {
    asked: AtomicU64,
}

#[global_allocator]
static ALLOCATOR: Counting = Counting { asked: AtomicU64::new(0) };

/// How often the module has asked for memory so far, in its own name or the host's.
#[unsafe(no_mangle)]
extern "C" fn allocations() -> u64 {
    ALLOCATOR.asked.load(Ordering::Relaxed)
}

impl Counting {
    fn count(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: everything is passed on as it is; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.count();
        // SAFETY: the caller keeps the promises that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.count();
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}
