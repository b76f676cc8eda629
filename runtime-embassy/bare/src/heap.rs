//! An allocator: a piece of memory that is given out from one end to the other.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering};

const BYTES: usize = 4 << 20;

#[global_allocator]
static HEAP: Heap = Heap { memory: UnsafeCell::new([0; BYTES]), used: AtomicUsize::new(0) };

struct Heap {
    memory: UnsafeCell<[u8; BYTES]>,
    used: AtomicUsize,
}

// SAFETY: `used` gives each byte to one owner only.
unsafe impl Sync for Heap {}

// SAFETY: what is given out is inside of the memory, aligned, and given to nobody else.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.memory.get().cast::<u8>();
        let place = |used: usize| (start as usize + used).next_multiple_of(layout.align()) - start as usize;
        let end = |used| place(used).checked_add(layout.size()).filter(|end| *end <= BYTES);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, end) {
            Ok(used) => start.wrapping_add(place(used)),
            Err(_) => null_mut(),
        }
    }

    /// The program ends before it runs out.
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
