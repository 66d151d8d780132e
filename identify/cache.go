package identify

import (
	"fmt"
	"strings"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
)

// cacheStructs are caches whose name and structure have nothing in common that
// candidates would find. The structure must exist and fit.
var cacheStructs = map[string]string{
	"filp": "file", "cred_jar": "cred", "mnt_cache": "mount", "numa_policy": "mempolicy", "shared_policy_node": "sp_node",
	"sock_inode_cache": "socket_alloc", "bdev_cache": "bdev_inode", "proc_inode_cache": "proc_inode",
	"skbuff_head_cache": "sk_buff", "skbuff_fclone_cache": "sk_buff_fclones", "skbuff_ext_cache": "skb_ext",
	"radix_tree_node": "xa_node", "eventpoll_epi": "epitem", "eventpoll_pwq": "eppoll_entry", "ep_head": "epitems_head",
	"key_jar": "key", "uid_cache": "user_struct", "net_namespace": "net", "posix_timers_cache": "k_itimer", "blkdev_ioc": "io_context",
	"TCP": "tcp_sock", "TCPv6": "tcp6_sock", "UDP": "udp_sock", "UDPv6": "udp6_sock", "RAW": "raw_sock", "RAWv6": "raw6_sock",
	"UNIX": "unix_sock", "UNIX-STREAM": "unix_sock", "PACKET": "packet_sock", "PING": "inet_sock", "NETLINK": "netlink_sock",
	"tw_sock_TCP": "tcp_timewait_sock", "request_sock_TCP": "tcp_request_sock", "tw_sock_TCPv6": "tcp6_timewait_sock", "request_sock_TCPv6": "tcp6_request_sock",
	"ip_dst_cache": "rtable", "ip6_dst_cache": "rt6_info", "ip_fib_trie": "key_vector", "ip_fib_alias": "fib_alias",
	"jbd2_journal_handle": "jbd2_journal_handle", "jbd2_inode": "jbd2_inode", "jbd2_revoke_record_s": "jbd2_revoke_record_s", "jbd2_journal_head": "journal_head", "jbd2_transaction_s": "transaction_s",
	"ext4_groupinfo_4k": "ext4_group_info", "ext4_io_end_vec": "ext4_io_end_vec", "file_lock_ctx": "file_lock_context", "file_lock_cache": "file_lock", "file_lease_cache": "file_lease",
	"inotify_inode_mark": "inotify_inode_mark", "fsnotify_mark_connector": "fsnotify_mark_connector", "request_queue": "request_queue", "bio_integrity_payload": "bio_integrity_payload",
	"sgpool-8": "", "names_cache": "", "trace_event_file": "trace_event_file", "avtab_node": "avtab_node", "avc_node": "avc_node", "ksm_rmap_item": "ksm_rmap_item",
	"shmem_inode_cache": "shmem_inode_info", "fuse_inode": "fuse_inode", "mqueue_inode_cache": "mqueue_inode_info", "hugetlbfs_inode_cache": "hugetlbfs_inode_info",
	"dio": "dio", "fasync_cache": "fasync_struct", "pool_workqueue": "pool_workqueue", "task_group": "task_group", "pde_opener": "pde_opener", "dma_buf": "dma_buf",
}

// mergeNeeds tell whether several caches share one.
type mergeNeeds struct {
	Refcount kernel.Field `need:"?kmem_cache.refcount"`
}

// structNames are the structures that a cache of that name may be of, the most
// likely first.
func structNames(cache string) []string {
	for _, suffix := range []string{"_cachep", "_cache", "_slab"} {
		if name, ok := cacheStructs[strings.TrimSuffix(cache, suffix)]; ok {
			return []string{name}
		}
	}
	if name, ok := cacheStructs[cache]; ok {
		return []string{name}
	}
	base := cache
	if i := strings.LastIndexByte(base, '_'); i > 0 && strings.Trim(base[i+1:], "0123456789") == "" {
		base = base[:i] // pid_2
	}
	for _, suffix := range []string{"_cachep", "_cache", "_jar", "_slab", "_node", "_s"} {
		if s, ok := strings.CutSuffix(base, suffix); ok && s != "" {
			return []string{cache, base, s, s + "_struct", s + "_info", s + "_inode", s + "_node"}
		}
	}
	return []string{cache, base, base + "_struct", base + "_info", base + "_cache"}
}

// cacheType is the structure that all objects of a cache are; ok is false for
// caches that anybody takes objects of.
func (m *Model) cacheType(c *slab.Cache) (Typing, bool) {
	m.typeMu.RLock()
	t, ok := m.byCache[c]
	m.typeMu.RUnlock()
	if !ok {
		t = m.readCacheType(c)
		m.typeMu.Lock()
		m.byCache[c] = t
		m.typeMu.Unlock()
	}
	return t, t.Type != nil
}

func (m *Model) readCacheType(c *slab.Cache) Typing {
	if c.Err != nil || general(c) {
		return Typing{}
	}
	shared := m.merged(c)
	for i, name := range structNames(c.Name) {
		if name == "" {
			continue
		}
		t, err := m.k.StructType(name)
		if err != nil || t.Underlying().Kind() != ctype.Struct {
			continue
		}
		size := t.Size()
		switch {
		case size == c.ObjectSize:
			why := fmt.Sprintf("cache %s, objects of that size", c.Name)
			if shared > 1 {
				why += fmt.Sprintf("; %d caches are merged in it", shared)
			}
			return Typing{Type: t, Source: FromCache, Certain: shared <= 1, Why: why}
		case i == 0 && size > 0 && name == c.Name:
			// Some structures go on, or are cut: a task's registers.
			return Typing{Type: t, Source: FromCache, Certain: shared <= 1, Why: fmt.Sprintf("cache %s; its objects have %d bytes, the structure %d", c.Name, c.ObjectSize, size)}
		}
	}
	return Typing{}
}

// general reports whether anybody takes memory of a cache (kmalloc).
func general(c *slab.Cache) bool {
	return strings.HasPrefix(c.Name, "kmalloc") || strings.HasPrefix(c.Name, "dma-kmalloc")
}

// merged is how many caches share one, 1 if that is not known.
func (m *Model) merged(c *slab.Cache) int {
	m.typeMu.RLock()
	n, ok := m.users[c]
	m.typeMu.RUnlock()
	if !ok {
		n = m.readMerged(c)
		m.typeMu.Lock()
		m.users[c] = n
		m.typeMu.Unlock()
	}
	return n
}

func (m *Model) readMerged(c *slab.Cache) int {
	var n mergeNeeds
	if m.k.Bind(&n) != nil || !n.Refcount.Present() {
		return 1
	}
	v, err := n.Refcount.Uint(m.k, c.Addr)
	if err != nil || v > 1<<16 {
		return 1
	}
	return max(1, int(v))
}
