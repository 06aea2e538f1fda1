// What the page says, in Vietnamese and English.

const KEY = "iocedu.language";

const TEXTS = {
  vi: {
    title: "Trung tâm điều hành giáo dục", skip: "Đến nội dung chính", failed: "Không thực hiện được.",
    noConnection: "Không kết nối được tới hệ thống. Kiểm tra mạng rồi thử lại.", retry: "Thử lại",
    status403: "Tài khoản này không có quyền xem nội dung này.", status503: "Dịch vụ tạm thời không sẵn sàng.",
    requestId: "Mã yêu cầu", justNow: "vừa xong", loading: "Đang tải…",
    live: "Trực tiếp", connecting: "Đang kết nối…", cut: "Mất kết nối, đang nối lại…", refused: "Không được phép theo dõi",
    signIn: "Đăng nhập", signInHint: "Dán mã truy cập do đơn vị vận hành cấp. Mã chỉ lưu trong thẻ trình duyệt này.",
    token: "Mã truy cập", signOut: "Đăng xuất", expired: "Phiên đăng nhập đã hết hạn. Vui lòng đăng nhập lại.",
    theme: "Đổi giao diện sáng, tối", otherLanguage: "English", otherLanguageHint: "Switch to English",
    unit: "Đơn vị", everyUnit: "Mọi đơn vị", noUnit: "Tài khoản này chưa được giao đơn vị nào.",
    noUnitHint: "Đề nghị quản trị viên cấp vai trò tại đơn vị của anh/chị.", up: "Về",
    schoolYear: "Năm học", dataTime: "Số liệu đến", noData: "Chưa có số liệu", suppressed: "ít hơn 5, không công bố",
    reporting: "{a}/{b} trường đã gửi số liệu",
    schools_connected: "Trường đã kết nối", pupils: "Học sinh", classes: "Lớp", staff: "Cán bộ, giáo viên, nhân viên",
    openAlerts: "Cảnh báo đang mở", ofRequired: "trên {n} trường phải kết nối", perClass: "{n} học sinh/lớp",
    girls: "{n} nữ", oversize: "{n} lớp vượt sĩ số", pupilsPerStaff: "{n} học sinh/người",
    severities: "{a} nghiêm trọng · {b} cần chú ý", howCounted: "Cách tính", source: "Nguồn",
    byUnit: "Theo đơn vị", byGrade: "Học sinh theo khối", male: "Nam", female: "Nữ", unknownSex: "Chưa rõ",
    map: "Bản đồ", mapOf: "Bản đồ {name} theo xã, phường", figure: "Chỉ tiêu", commune: "Xã, phường", school: "Trường", district: "Huyện",
    province: "Tỉnh, thành phố", breakdown: "Chia theo", name: "Tên đơn vị", none: "Không có", total: "Toàn đơn vị",
    schools: "Trường phải kết nối", schools_connected_share: "Tỷ lệ kết nối", girls_share: "Tỷ lệ nữ",
    short_schools_connected: "Đã kết nối", short_staff: "CB, GV, NV", short_classes_oversize: "Vượt sĩ số",
    class_size_mean: "Sĩ số bình quân", classes_oversize: "Lớp vượt sĩ số", showAll: "Xem cả {n} đơn vị", showLess: "Thu gọn",
    alerts: "Cảnh báo mới nhất", noAlerts: "Không có cảnh báo đang mở.", acknowledge: "Tiếp nhận", acknowledged: "Đã tiếp nhận",
    resolved: "Đã hết", by: "bởi {n}", inbox: "Hộp thư của tôi", unread: "{n} chưa đọc", noNotices: "Hộp thư trống.",
    confirm: "Xác nhận", confirmed: "Đã xác nhận", more: "Xem thêm", critical: "Nghiêm trọng", warning: "Cần chú ý",
    info: "Thông tin", because: "Nhận vì", docs: "Giao diện lập trình", preschool: "Mầm non", preschoolShort: "MN", islands: "Đặc khu Hoàng Sa vẽ ở góc, không theo vị trí và tỷ lệ.", grade: "Khối {n}",
  },
  en: {
    title: "Education operations centre", skip: "Skip to content", failed: "That did not work.",
    noConnection: "The system cannot be reached. Check the network and try again.", retry: "Try again",
    status403: "This account may not see this.", status503: "The service is not available right now.",
    requestId: "Request", justNow: "just now", loading: "Loading…",
    live: "Live", connecting: "Connecting…", cut: "Connection lost, reconnecting…", refused: "Not allowed to watch",
    signIn: "Sign in", signInHint: "Paste the token your operator gave you. It is kept in this browser tab only.",
    token: "Token", signOut: "Sign out", expired: "The session has expired. Please sign in again.",
    theme: "Switch between light and dark", otherLanguage: "Tiếng Việt", otherLanguageHint: "Chuyển sang tiếng Việt",
    unit: "Unit", everyUnit: "Every unit", noUnit: "This account has not been given a unit yet.",
    noUnitHint: "Ask an administrator for a role at your unit.", up: "Back to",
    schoolYear: "School year", dataTime: "Data as of", noData: "No data yet", suppressed: "fewer than 5, withheld",
    reporting: "{a}/{b} schools have sent data",
    schools_connected: "Connected schools", pupils: "Pupils", classes: "Classes", staff: "Staff",
    openAlerts: "Open alerts", ofRequired: "of {n} schools that must connect", perClass: "{n} pupils a class",
    girls: "{n} girls", oversize: "{n} oversize classes", pupilsPerStaff: "{n} pupils a person",
    severities: "{a} critical · {b} warnings", howCounted: "How it is counted", source: "Source",
    byUnit: "By unit", byGrade: "Pupils by grade", male: "Boys", female: "Girls", unknownSex: "Unknown",
    map: "Map", mapOf: "Map of {name} by commune", figure: "Figure", commune: "Commune", school: "School", district: "District",
    province: "Province", breakdown: "Broken down by", name: "Unit", none: "None", total: "Whole unit",
    schools: "Schools that must connect", schools_connected_share: "Share connected", girls_share: "Share of girls",
    short_schools_connected: "Connected", short_classes_oversize: "Oversize",
    class_size_mean: "Average class size", classes_oversize: "Oversize classes", showAll: "Show all {n} units", showLess: "Show fewer",
    alerts: "Latest alerts", noAlerts: "No open alerts.", acknowledge: "Take in hand", acknowledged: "In hand",
    resolved: "Resolved", by: "by {n}", inbox: "My inbox", unread: "{n} unread", noNotices: "The inbox is empty.",
    confirm: "Confirm", confirmed: "Confirmed", more: "Show more", critical: "Critical", warning: "Warning",
    info: "For information", because: "You get this as", docs: "Programming interface", preschool: "Preschool", preschoolShort: "Pre", islands: "The Hoàng Sa islands are drawn in a corner, not in place or to scale.", grade: "Grade {n}",
  },
};

export const language = () => (localStorage.getItem(KEY) === "en" ? "en" : "vi");
export const setLanguage = (value) => localStorage.setItem(KEY, value);

export function t(key, values = {}) {
  const text = TEXTS[language()][key] ?? "";
  return Object.entries(values).reduce((said, [name, value]) => said.replace(`{${name}}`, value), text);
}
