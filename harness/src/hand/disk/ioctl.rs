//! Owns the system calls that have no safe signature anywhere: those of loop devices, and the one that shuts an ext4
//! down. One of two files with `unsafe` in it (`agents/src/runtime/trim.rs` is the other). Refuses to know what they are for.

#![expect(unsafe_code, reason = "an ioctl's argument is whatever its number says; each is stated here, once")]

use rustix::fd::AsFd;
use rustix::io::Result;
use rustix::ioctl::{Ioctl, IoctlOutput, NoArg, Opcode, Setter, Updater, ioctl, opcode};

/// Numbers from `linux/loop.h`.
const LOOP_CLR_FD: Opcode = 0x4C01;
const LOOP_SET_STATUS64: Opcode = 0x4C04;
const LOOP_GET_STATUS64: Opcode = 0x4C05;
const LOOP_CONFIGURE: Opcode = 0x4C0A;
const LOOP_CTL_GET_FREE: Opcode = 0x4C82;
/// Detach when the last user is gone.
const LO_FLAGS_AUTOCLEAR: u32 = 4;
/// `EXT4_IOC_SHUTDOWN`.
const EXT4_IOC_SHUTDOWN: Opcode = opcode::read::<u32>(b'X', 125);
/// `EXT4_GOING_FLAGS_NOLOGFLUSH`: as at a power loss, the journal is not written.
const NO_LOG_FLUSH: u32 = 2;

/// Bytes of a loop device's name, the final zero included.
pub(super) const NAME_BYTES: usize = 64;

/// `struct loop_info64`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct LoopInfo {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    /// Bytes that can be used; zero is all there are.
    pub(super) size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    /// What it is called: free text.
    pub(super) name: [u8; NAME_BYTES],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config`.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

const EMPTY: LoopInfo = LoopInfo {
    device: 0,
    inode: 0,
    rdevice: 0,
    offset: 0,
    size_limit: 0,
    number: 0,
    encrypt_type: 0,
    encrypt_key_size: 0,
    flags: 0,
    name: [0; NAME_BYTES],
    crypt_name: [0; 64],
    encrypt_key: [0; 32],
    init: [0; 2],
};

/// `LOOP_CTL_GET_FREE`: answers with the number of a free device, made where there is none.
struct GetFree;

// SAFETY: the request takes no argument, so no memory is read or written; its answer is the number itself.
unsafe impl Ioctl for GetFree {
    type Output = u32;
    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        LOOP_CTL_GET_FREE
    }

    fn as_ptr(&mut self) -> *mut std::ffi::c_void {
        std::ptr::null_mut()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut std::ffi::c_void) -> Result<u32> {
        u32::try_from(output).map_err(|_| rustix::io::Errno::RANGE)
    }
}

/// The number of a loop device that is free now.
pub(super) fn free_device(control: impl AsFd) -> Result<u32> {
    // SAFETY: see `GetFree`.
    unsafe { ioctl(control, GetFree) }
}

/// Binds a file to a loop device that lets go of it when its last user is gone.
pub(super) fn configure(device: impl AsFd, backing: &std::fs::File, name: [u8; NAME_BYTES]) -> Result<()> {
    let raw = std::os::fd::AsRawFd::as_raw_fd(backing);
    let fd = u32::try_from(raw).map_err(|_| rustix::io::Errno::BADF)?;
    let info = LoopInfo { flags: LO_FLAGS_AUTOCLEAR, name, ..EMPTY };
    let config = LoopConfig { fd, block_size: 0, info, reserved: [0; 8] };
    // SAFETY: the request reads one `struct loop_config`, laid out as in `linux/loop.h`; `backing` is open meanwhile.
    unsafe { ioctl(device, Setter::<LOOP_CONFIGURE, LoopConfig>::new(config)) }
}

/// What a loop device says of itself; an error where no file is bound to it.
pub(super) fn status(device: impl AsFd) -> Result<LoopInfo> {
    let mut info = EMPTY;
    // SAFETY: the request writes one `struct loop_info64`, laid out as in `linux/loop.h`; every bit pattern is one.
    unsafe { ioctl(device, Updater::<LOOP_GET_STATUS64, LoopInfo>::new(&mut info)) }?;
    Ok(info)
}

/// Changes what [`status`] told.
pub(super) fn set_status(device: impl AsFd, info: LoopInfo) -> Result<()> {
    // SAFETY: the request reads one `struct loop_info64`, laid out as in `linux/loop.h`.
    unsafe { ioctl(device, Setter::<LOOP_SET_STATUS64, LoopInfo>::new(info)) }
}

/// Lets go of the file, at once or when the last user is gone.
pub(super) fn clear(device: impl AsFd) -> Result<()> {
    // SAFETY: the request takes no argument.
    unsafe { ioctl(device, NoArg::<LOOP_CLR_FD>::new()) }
}

/// Stops the ext4 on which `file` is, without writing anything more to its device.
pub(super) fn shut_down(file: impl AsFd) -> Result<()> {
    // SAFETY: the request reads one `u32`.
    unsafe { ioctl(file, Setter::<EXT4_IOC_SHUTDOWN, u32>::new(NO_LOG_FLUSH)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_and_numbers_are_as_the_kernel_has_them() {
        assert_eq!(size_of::<LoopInfo>(), 232);
        assert_eq!(size_of::<LoopConfig>(), 304);
        assert_eq!(EXT4_IOC_SHUTDOWN, 0x8004_587D);
    }
}
